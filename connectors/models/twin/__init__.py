"""A twin of providers of language models: one scripted score, played over the wires of four of them."""
