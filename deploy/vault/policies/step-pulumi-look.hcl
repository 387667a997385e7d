# One step that looks at a stack: state, passphrase and credentials that read, and the key that seals it for one run in
# the sandbox, for some minutes.
path "banksman/data/pulumi/look" {
  capabilities = ["read"]
}

path "transit/encrypt/handover" {
  capabilities = ["update"]
}
