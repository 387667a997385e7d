# One step that reads a Qdrant database: address and reading key of one database each, for some minutes.
path "banksman/data/qdrant/readers/+" {
  capabilities = ["read"]
}
