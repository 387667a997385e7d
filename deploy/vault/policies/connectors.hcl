# The connectors worker. It reads no provider's secret itself: it may only make the tokens that a step reads with, from
# token roles that fix what each can reach.
path "banksman/data/payload-keys" {
  capabilities = ["read"]
}

# What steps reserved and spent under the policy's budgets, by check-and-set. No secret lies there.
path "banksman/data/budgets/+/+" {
  capabilities = ["create", "read", "update"]
}

path "auth/token/create/estuary-read" {
  capabilities = ["create", "update"]
}

path "auth/token/create/estuary-publish" {
  capabilities = ["create", "update"]
}

path "auth/token/create/github-read" {
  capabilities = ["create", "update"]
}

path "auth/token/create/github-write" {
  capabilities = ["create", "update"]
}

path "auth/token/create/lambdalabs-read" {
  capabilities = ["create", "update"]
}

path "auth/token/create/lambdalabs-launch" {
  capabilities = ["create", "update"]
}

path "auth/token/create/lambdalabs-change" {
  capabilities = ["create", "update"]
}

path "auth/token/create/lambdalabs-keep" {
  capabilities = ["create", "update"]
}

path "auth/token/create/neon-read" {
  capabilities = ["create", "update"]
}

path "auth/token/create/neon-write" {
  capabilities = ["create", "update"]
}

path "auth/token/create/neon-keep" {
  capabilities = ["create", "update"]
}

path "auth/token/create/neon-end" {
  capabilities = ["create", "update"]
}

path "auth/token/create/neon-open" {
  capabilities = ["create", "update"]
}

path "auth/token/create/neon-issue" {
  capabilities = ["create", "update"]
}

path "auth/token/create/neon-lend" {
  capabilities = ["create", "update"]
}

path "auth/token/create/neon-look" {
  capabilities = ["create", "update"]
}

path "auth/token/create/neon-hand-over" {
  capabilities = ["create", "update"]
}

path "auth/token/create/pulumi-look" {
  capabilities = ["create", "update"]
}

path "auth/token/create/qdrant-read" {
  capabilities = ["create", "update"]
}

path "auth/token/create/qdrant-write" {
  capabilities = ["create", "update"]
}

path "auth/token/create/qdrant-issue" {
  capabilities = ["create", "update"]
}

path "auth/token/create/qdrant-forget" {
  capabilities = ["create", "update"]
}

path "auth/token/create/qdrant-search" {
  capabilities = ["create", "update"]
}

path "auth/token/create/qdrant-change" {
  capabilities = ["create", "update"]
}

path "auth/token/create/rediscloud-read" {
  capabilities = ["create", "update"]
}

path "auth/token/create/rediscloud-price" {
  capabilities = ["create", "update"]
}

path "auth/token/create/rediscloud-write" {
  capabilities = ["create", "update"]
}

path "auth/token/create/rediscloud-grant" {
  capabilities = ["create", "update"]
}

path "auth/token/create/rediscloud-check" {
  capabilities = ["create", "update"]
}

path "auth/token/create/rediscloud-forget" {
  capabilities = ["create", "update"]
}

path "auth/token/create/upstash-read" {
  capabilities = ["create", "update"]
}

path "auth/token/create/upstash-write" {
  capabilities = ["create", "update"]
}

path "auth/token/create/upstash-grant" {
  capabilities = ["create", "update"]
}

path "auth/token/create/upstash-check" {
  capabilities = ["create", "update"]
}

path "auth/token/create/upstash-forget" {
  capabilities = ["create", "update"]
}
