# The gateway between people and approvals: it signs what a person clicked, and tells who asked for a goal by the same
# key's published halves. Slack's tokens are its only secret besides the payload keys; no provider's, no step's token.
path "banksman/data/payload-keys" {
  capabilities = ["read"]
}

path "banksman/data/slack/app" {
  capabilities = ["read"]
}

path "transit/keys/approvals" {
  capabilities = ["read"]
}

path "transit/sign/approvals" {
  capabilities = ["update"]
}

# How often each key that people confirm with was used, so that a copy of one is noticed. No key lies there.
path "banksman/data/webauthn/+" {
  capabilities = ["create", "read", "update"]
}
