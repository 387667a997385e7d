# One step that merges a pull request on GitHub: client id and private key of the App that may delete and merge, for
# some minutes.
path "banksman/data/github/destructive-app" {
  capabilities = ["read"]
}
