# One step that issues a login to a database of Neon, or ends one: the API key that looks at projects and makes
# branches, for some minutes.
path "banksman/data/neon/key" {
  capabilities = ["read"]
}

# It writes a login to a database of a branch, by the mark of its goal: without "read" it can open none of them.
path "banksman/data/neon/logins/+" {
  capabilities = ["create", "update"]
}

path "banksman/metadata/neon/logins/+" {
  capabilities = ["delete"]
}

path "banksman-neon/roles" {
  capabilities = ["list"]
}

# It says how logins are made, and ends them by what made them, in no other mount.
path "banksman-neon/roles/+" {
  capabilities = ["create", "update", "read", "delete"]
}

# Where a branch is gone, so is what led there.
path "banksman-neon/config/+" {
  capabilities = ["delete"]
}

path "sys/leases/revoke-prefix/banksman-neon/creds/+" {
  capabilities = ["update", "sudo"]
}

path "sys/leases/revoke-force/banksman-neon/creds/+" {
  capabilities = ["update", "sudo"]
}
