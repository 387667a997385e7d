# The supervisor's deliverer: mints wrapped secret ids, of short life, and can do nothing else. One block per role of
# ours: a glob would let it mint for every other AppRole of a shared Vault.
path "auth/approle/role/goals/secret-id" {
  capabilities     = ["create", "update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "120s"
}

path "auth/approle/role/connectors/secret-id" {
  capabilities     = ["create", "update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "120s"
}

path "auth/approle/role/sandbox/secret-id" {
  capabilities     = ["create", "update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "120s"
}

path "auth/approle/role/destructive/secret-id" {
  capabilities     = ["create", "update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "120s"
}

path "auth/approle/role/gateway/secret-id" {
  capabilities     = ["create", "update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "120s"
}

path "auth/approle/role/codec/secret-id" {
  capabilities     = ["create", "update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "120s"
}

path "auth/approle/role/models/secret-id" {
  capabilities     = ["create", "update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "120s"
}

path "auth/approle/role/relay/secret-id" {
  capabilities     = ["create", "update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "120s"
}
