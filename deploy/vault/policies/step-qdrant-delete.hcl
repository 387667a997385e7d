# One step that deletes a cluster at Qdrant Cloud: account id and a management key that deletes clusters, for some
# minutes.
path "banksman/data/qdrant/deleting-key" {
  capabilities = ["read"]
}
