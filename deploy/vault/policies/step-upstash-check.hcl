# One step that connects to a database as one of its users: logins of databases that goals made, by database and user,
# for some minutes.
path "banksman/data/upstash/databases/+/+" {
  capabilities = ["read"]
}
