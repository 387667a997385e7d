# One step that looks which logins there are at Neon: the API key that looks at projects and makes branches, for some
# minutes.
path "banksman/data/neon/key" {
  capabilities = ["read"]
}

path "banksman-neon/roles" {
  capabilities = ["list"]
}

path "banksman-neon/roles/+" {
  capabilities = ["read"]
}
