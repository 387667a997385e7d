# One step that looks at a stack: the credentials that read, and the key that seals them for one run in the sandbox.
path "banksman/data/pulumi/look" {
  capabilities = ["read"]
}

path "transit/encrypt/handover" {
  capabilities = ["update"]
}
