# One step that deletes at Redis Cloud: the account key, and the user key of an owner that buys and deletes, for some
# minutes.
path "banksman/data/rediscloud/destruction" {
  capabilities = ["read"]
}
