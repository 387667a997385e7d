# One step that creates at Redis Cloud: the account key, and a user key of an owner, for some minutes.
path "banksman/data/rediscloud/owner" {
  capabilities = ["read"]
}
