# One step that deletes a branch at Neon: the API key that branches are deleted with, for some minutes.
path "banksman/data/neon/destructive-key" {
  capabilities = ["read"]
}
