# One step that seals a login to a database of Neon for one run in the sandbox: a login to a database of a branch, by
# the mark of its goal, and the key that seals it for one run in the sandbox, for some minutes.
path "banksman/data/neon/logins/+" {
  capabilities = ["read"]
}

path "transit/encrypt/handover" {
  capabilities = ["update"]
}
