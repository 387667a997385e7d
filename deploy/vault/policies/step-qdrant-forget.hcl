# One step that forgets the keys of a database that is gone: account id and a management key that reads, for some
# minutes.
path "banksman/data/qdrant/reading-key" {
  capabilities = ["read"]
}

path "banksman/metadata/qdrant/readers/+" {
  capabilities = ["delete"]
}

path "banksman/metadata/qdrant/writers/+" {
  capabilities = ["delete"]
}
