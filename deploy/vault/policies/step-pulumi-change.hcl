# One step that changes a stack: state, passphrase and the credentials that change what a stack holds, for some minutes.
path "banksman/data/pulumi/change" {
  capabilities = ["read"]
}
