# One step that reads at Qdrant Cloud: account id and a management key that reads, for some minutes.
path "banksman/data/qdrant/reading-key" {
  capabilities = ["read"]
}
