# One step that writes on GitHub: the App's key, for some minutes. What the step may do there, its installation token says.
path "banksman/data/github/app" {
  capabilities = ["read"]
}
