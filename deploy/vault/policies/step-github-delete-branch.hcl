# One step that deletes a branch on GitHub: the key of the App that may, for some minutes.
path "banksman/data/github/destructive-app" {
  capabilities = ["read"]
}
