# One step that creates at Upstash what people approved: e-mail of the account and the API key that buys and deletes,
# for some minutes.
path "banksman/data/upstash/destruction" {
  capabilities = ["read"]
}
