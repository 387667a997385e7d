# One step that migrates a database of Neon that people approved: the API key that branches are deleted with, for some
# minutes.
path "banksman/data/neon/destructive-key" {
  capabilities = ["read"]
}

# It makes a role of its own, takes a login of it, and ends it: at the latest with this token.
path "banksman-neon/roles/+" {
  capabilities = ["create", "update", "delete"]
}

path "banksman-neon/creds/+" {
  capabilities = ["read"]
}

path "sys/leases/revoke-prefix/banksman-neon/creds/+" {
  capabilities = ["update", "sudo"]
}

path "sys/leases/revoke-force/banksman-neon/creds/+" {
  capabilities = ["update", "sudo"]
}
