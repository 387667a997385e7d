# The models worker: the payload keys, and the tokens that its steps read keys of language models with. No other process
# makes these, and it makes no other.
path "banksman/data/payload-keys" {
  capabilities = ["read"]
}

path "auth/token/create/models-request" {
  capabilities = ["create", "update"]
}
