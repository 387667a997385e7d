# One step that makes the SSH key of a machine at Lambda Labs, or ends both: the API key that looks, launches what the
# policy lets, and ends it, for some minutes.
path "banksman/data/lambdalabs/key" {
  capabilities = ["read"]
}

# It writes the SSH key that opens a machine, by its mark: without "read" it can open none of them.
path "banksman/data/lambdalabs/ssh/+" {
  capabilities = ["create", "update"]
}

path "banksman/metadata/lambdalabs/ssh/+" {
  capabilities = ["delete"]
}
