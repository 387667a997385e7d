# The goals worker: of Vault only the payload keys, outside development, and the published halves of the approval keys,
# which it refuses decisions by.
path "banksman/data/payload-keys" {
  capabilities = ["read"]
}

path "transit/keys/approvals" {
  capabilities = ["read"]
}
