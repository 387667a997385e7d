"""What a Vault (or OpenBao) holds for Banksman, and the idempotent code that puts it there."""
