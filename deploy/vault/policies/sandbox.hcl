# The sandbox worker: the payload keys, and what other steps sealed for a run of its own. No provider's secret.
path "banksman/data/payload-keys" {
  capabilities = ["read"]
}

path "transit/decrypt/handover" {
  capabilities = ["update"]
}
