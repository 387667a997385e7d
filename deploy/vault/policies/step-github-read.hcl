# One step that reads on GitHub: the App's client id and private key, for some minutes.
path "banksman/data/github/app" {
  capabilities = ["read"]
}
