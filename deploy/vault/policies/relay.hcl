# The relay that machines dial which serve language models: who may, and nothing else. It faces the internet, and reads
# no key of anything, nor the payload keys.
# Which goal's machine serves which language model, by check-and-set. Digests lie there, and no secret.
path "banksman/data/served/+/+" {
  capabilities = ["create", "read", "update"]
}
