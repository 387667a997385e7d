# One step that publishes at Estuary: token_id and secret of a service account's API key, and the public apikey, for
# some minutes.
path "banksman/data/estuary/account" {
  capabilities = ["read"]
}
