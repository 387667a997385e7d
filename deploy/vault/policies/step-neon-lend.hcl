# What a goal was lent by a step that issues a login to a database of Neon: a token that reads one login and lives as
# long as that, for the login ends with it. It reads no secret.
path "banksman-neon/creds/+" {
  capabilities = ["read"]
}
