# The models worker: the payload keys, and the tokens that its steps read keys of language models with. No other process
# makes these, and it makes no other.
path "banksman/data/payload-keys" {
  capabilities = ["read"]
}

# What goals used of language models under the file's limits, by check-and-set. No secret lies there.
path "banksman/data/model-limits/+/+" {
  capabilities = ["create", "read", "update"]
}

# Which goal's machine serves which language model, by check-and-set. Digests lie there, and no secret.
path "banksman/data/served/+/+" {
  capabilities = ["create", "read", "update"]
}

path "auth/token/create/models-request" {
  capabilities = ["create", "update"]
}
