# One step that makes clusters and backups at Qdrant Cloud: account id and a management key that makes clusters,
# database keys and backups, for some minutes.
path "banksman/data/qdrant/writing-key" {
  capabilities = ["read"]
}
