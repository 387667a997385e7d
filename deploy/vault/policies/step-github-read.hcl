# One step that reads on GitHub: the App's key, for a minute.
path "banksman/data/github/app" {
  capabilities = ["read"]
}
