# One step that keeps the connection to a branch of Neon, or removes that of a deleted one: the API key that looks at
# projects and makes branches, for some minutes.
path "banksman/data/neon/key" {
  capabilities = ["read"]
}

# It writes how one connects to a branch, by its goal's mark: without "read" it can open none of them.
path "banksman/data/neon/connections/+" {
  capabilities = ["create", "update"]
}

path "banksman/metadata/neon/connections/+" {
  capabilities = ["delete"]
}
