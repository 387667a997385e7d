# One step that issues the keys of a database: account id and a management key that makes clusters, database keys and
# backups, for some minutes.
path "banksman/data/qdrant/writing-key" {
  capabilities = ["read"]
}

# It writes address and reading key of one database each: without "read" it can open none of them.
path "banksman/data/qdrant/readers/+" {
  capabilities = ["create", "update"]
}

# It writes address and managing key of one database each: without "read" it can open none of them.
path "banksman/data/qdrant/writers/+" {
  capabilities = ["create", "update"]
}
