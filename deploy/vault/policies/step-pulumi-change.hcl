# One step that changes a stack: the credentials that do, for some minutes, and the records of grants that were used.
# Without "update" none of them can be written over.
path "banksman/data/pulumi/change" {
  capabilities = ["read"]
}

path "banksman/data/grants/+" {
  capabilities = ["create", "read"]
}
