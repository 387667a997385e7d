# One step that reads at Redis Cloud: the account key, and a user key of a viewer, for some minutes.
path "banksman/data/rediscloud/viewer" {
  capabilities = ["read"]
}
