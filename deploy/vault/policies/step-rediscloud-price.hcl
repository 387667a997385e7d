# One step that asks Redis Cloud what a database would cost: the account key, and a user key of an owner, for some
# minutes.
path "banksman/data/rediscloud/owner" {
  capabilities = ["read"]
}
