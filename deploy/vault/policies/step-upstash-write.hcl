# One step that creates at Upstash: e-mail and API key of the account, for some minutes.
path "banksman/data/upstash/account" {
  capabilities = ["read"]
}
