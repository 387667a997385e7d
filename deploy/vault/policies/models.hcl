# The models worker: the payload keys, the tokens that its steps read keys of language models with, the keys of what was
# said to them, and the published halves of the approval keys, by which it tells who asked. No other process makes these
# tokens, and it makes no other.
path "banksman/data/payload-keys" {
  capabilities = ["read"]
}

path "transit/keys/approvals" {
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

# Keys of what was said to language models, each for one conversation. No other process opens one.
path "transit/datakey/plaintext/transcripts" {
  capabilities = ["update"]
}

path "transit/decrypt/transcripts" {
  capabilities = ["update"]
}

path "auth/token/create/models-request" {
  capabilities = ["create", "update"]
}
