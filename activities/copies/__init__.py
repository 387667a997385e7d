"""Steps that copy what stands at a provider, for a rehearsal."""
