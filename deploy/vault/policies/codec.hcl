# The codec server: the payload keys, and nothing else.
path "banksman/data/payload-keys" {
  capabilities = ["read"]
}
