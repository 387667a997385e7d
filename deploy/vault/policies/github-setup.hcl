# A person who sets GitHub up, or changes a key of its: `banksman github`. The Apps' keys and what webhooks are signed
# with, and nothing else. No process has it.
path "banksman/data/github/app" {
  capabilities = ["create", "read", "update"]
}

path "banksman/data/github/destructive-app" {
  capabilities = ["create", "read", "update"]
}

path "banksman/data/github/webhook" {
  capabilities = ["create", "read", "update"]
}

# Whether it may write there is asked before a person is sent to GitHub, where a key is shown once.
path "sys/capabilities-self" {
  capabilities = ["update"]
}
