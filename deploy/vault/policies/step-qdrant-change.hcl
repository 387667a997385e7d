# One step that changes a Qdrant database: address and managing key of one database each, for some minutes.
path "banksman/data/qdrant/writers/+" {
  capabilities = ["read"]
}
