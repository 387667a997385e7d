# One step that launches at Lambda Labs: the API key that looks, launches what the policy lets, and ends it, for some
# minutes.
path "banksman/data/lambdalabs/key" {
  capabilities = ["read"]
}
