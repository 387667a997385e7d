# One step that removes the logins of a database that is gone: the account key, and a user key of a viewer, for some
# minutes.
path "banksman/data/rediscloud/viewer" {
  capabilities = ["read"]
}

path "banksman/metadata/rediscloud/databases/+/+" {
  capabilities = ["delete"]
}

# It finds by their names what it deletes.
path "banksman/metadata/rediscloud/databases/+/" {
  capabilities = ["list"]
}
