# One step that deletes at Upstash: e-mail of the account and the API key that buys and deletes, for some minutes.
path "banksman/data/upstash/destruction" {
  capabilities = ["read"]
}
