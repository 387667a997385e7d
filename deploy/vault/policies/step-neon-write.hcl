# One step that makes branches at Neon: the API key that looks at projects and makes branches, for some minutes.
path "banksman/data/neon/key" {
  capabilities = ["read"]
}
