# One step that gives a database's consumers users of their own: e-mail and API key of the account, for some minutes.
path "banksman/data/upstash/account" {
  capabilities = ["read"]
}

# It writes logins of databases that goals made, by database and user: without "read" it can open none of them.
path "banksman/data/upstash/databases/+/+" {
  capabilities = ["create", "update"]
}
