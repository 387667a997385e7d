# One step that ends a branch that a goal made at Neon, at its time: the API key that looks at projects and makes
# branches, for some minutes.
path "banksman/data/neon/key" {
  capabilities = ["read"]
}

path "banksman/metadata/neon/connections/+" {
  capabilities = ["delete"]
}

# It makes Vault an administrator of a database, and ends that.
path "banksman-neon/config" {
  capabilities = ["list"]
}

path "banksman-neon/config/+" {
  capabilities = ["create", "update", "delete"]
}
