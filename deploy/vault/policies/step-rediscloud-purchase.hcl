# One step that creates at Redis Cloud what people approved: the account key, and the user key of an owner that buys and
# deletes, for some minutes.
path "banksman/data/rediscloud/destruction" {
  capabilities = ["read"]
}
