# The gateway between people and approvals: it signs what a person clicked, and tells who asked for a goal by the same
# key's published halves. Slack's tokens, what GitHub signs webhooks with and what people sign in by are its only
# secrets besides the payload keys; no provider's key, no step's token.
path "banksman/data/payload-keys" {
  capabilities = ["read"]
}

path "banksman/data/slack/app" {
  capabilities = ["read"]
}

path "banksman/data/github/webhook" {
  capabilities = ["read"]
}

path "banksman/data/github/sign-in" {
  capabilities = ["read"]
}

path "transit/keys/approvals" {
  capabilities = ["read"]
}

path "transit/sign/approvals" {
  capabilities = ["update"]
}

path "transit/keys/audit" {
  capabilities = ["read"]
}

# How far the audit files of all processes were collected. No process that acts may sign that.
path "transit/sign/audit" {
  capabilities = ["update"]
}

# How often each key that people confirm with was used, so that a copy of one is noticed. No key lies there.
path "banksman/data/webauthn/+" {
  capabilities = ["create", "read", "update"]
}
