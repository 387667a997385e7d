# One step that removes the logins of a database that is gone: e-mail and API key of the account, for some minutes.
path "banksman/data/upstash/account" {
  capabilities = ["read"]
}

path "banksman/metadata/upstash/databases/+/+" {
  capabilities = ["delete"]
}

# It finds by their names what it deletes.
path "banksman/metadata/upstash/databases/+/" {
  capabilities = ["list"]
}
