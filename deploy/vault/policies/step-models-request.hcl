# One step that asks a language model: the key of a backend of language models, by the backend's name, for some minutes.
path "banksman/data/models/+" {
  capabilities = ["read"]
}
