# One step that publishes at Estuary what deletes data: token_id and secret of an API key of the service account that
# may delete, and the public apikey, for some minutes.
path "banksman/data/estuary/destructive-account" {
  capabilities = ["read"]
}
