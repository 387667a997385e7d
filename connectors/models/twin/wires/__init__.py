"""How each provider's wire carries one and the same conversation."""
