# One step that changes a stack: the credentials that do, for some minutes.
path "banksman/data/pulumi/change" {
  capabilities = ["read"]
}
