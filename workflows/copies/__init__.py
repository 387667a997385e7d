"""The goal that copies what stands at a provider, for a rehearsal."""
