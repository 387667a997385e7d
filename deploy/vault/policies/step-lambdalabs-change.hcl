# One step that restarts and renames at Lambda Labs: the API key that looks, launches what the policy lets, and ends it,
# for some minutes.
path "banksman/data/lambdalabs/key" {
  capabilities = ["read"]
}
