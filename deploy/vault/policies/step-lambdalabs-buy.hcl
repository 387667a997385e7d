# One step that launches at Lambda Labs what people approved: the API key that launches what people approved, for some
# minutes.
path "banksman/data/lambdalabs/buying-key" {
  capabilities = ["read"]
}
