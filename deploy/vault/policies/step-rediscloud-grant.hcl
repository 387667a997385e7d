# One step that gives a database's consumers users of their own: the account key, and a user key of an owner, for some
# minutes.
path "banksman/data/rediscloud/owner" {
  capabilities = ["read"]
}

# It writes logins of databases that goals made, by database and user: without "read" it can open none of them.
path "banksman/data/rediscloud/databases/+/+" {
  capabilities = ["create", "update"]
}
