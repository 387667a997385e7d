# A person who sets GitHub up, or changes a key of its: `banksman github`. The Apps' keys, what webhooks are signed with
# and what people sign in to the console by, and nothing else. No process has it.
path "banksman/data/github/app" {
  capabilities = ["create", "read", "update"]
}

path "banksman/data/github/destructive-app" {
  capabilities = ["create", "read", "update"]
}

path "banksman/data/github/webhook" {
  capabilities = ["create", "read", "update"]
}

path "banksman/data/github/sign-in" {
  capabilities = ["create", "read", "update"]
}

# Whether it may write there is asked before a person is sent to GitHub, where a key is shown once.
path "sys/capabilities-self" {
  capabilities = ["update"]
}
