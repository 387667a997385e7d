# The destructive worker: the only process that may make the tokens of steps that destroy. It verifies every grant with
# the published halves of the approval keys, and can sign none.
path "banksman/data/payload-keys" {
  capabilities = ["read"]
}

path "transit/keys/approvals" {
  capabilities = ["read"]
}

# Which grants were used, by whom: without "update" no record can be written over.
path "banksman/data/grants/+" {
  capabilities = ["create", "read"]
}

# What steps reserved and spent under the policy's budgets, by check-and-set. No secret lies there.
path "banksman/data/budgets/+/+" {
  capabilities = ["create", "read", "update"]
}

path "auth/token/create/estuary-destroy" {
  capabilities = ["create", "update"]
}

path "auth/token/create/github-delete-branch" {
  capabilities = ["create", "update"]
}

path "auth/token/create/github-merge-pull-request" {
  capabilities = ["create", "update"]
}

path "auth/token/create/lambdalabs-buy" {
  capabilities = ["create", "update"]
}

path "auth/token/create/neon-delete-branch" {
  capabilities = ["create", "update"]
}

path "auth/token/create/neon-migrate" {
  capabilities = ["create", "update"]
}

path "auth/token/create/pulumi-change" {
  capabilities = ["create", "update"]
}

path "auth/token/create/qdrant-buy" {
  capabilities = ["create", "update"]
}

path "auth/token/create/qdrant-delete" {
  capabilities = ["create", "update"]
}

path "auth/token/create/rediscloud-purchase" {
  capabilities = ["create", "update"]
}

path "auth/token/create/rediscloud-delete" {
  capabilities = ["create", "update"]
}

path "auth/token/create/upstash-purchase" {
  capabilities = ["create", "update"]
}

path "auth/token/create/upstash-delete" {
  capabilities = ["create", "update"]
}
