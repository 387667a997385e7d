# One step that buys a cluster at Qdrant Cloud: account id and a management key that makes clusters, for some minutes.
path "banksman/data/qdrant/buying-key" {
  capabilities = ["read"]
}
