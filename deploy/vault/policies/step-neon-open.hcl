# One step that prepares a database of Neon for logins, with Vault as their administrator: the API key that looks at
# projects and makes branches, for some minutes.
path "banksman/data/neon/key" {
  capabilities = ["read"]
}

# It makes Vault an administrator of a database, and ends that.
path "banksman-neon/config" {
  capabilities = ["list"]
}

path "banksman-neon/config/+" {
  capabilities = ["create", "update", "delete"]
}
