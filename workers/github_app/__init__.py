"""GitHub's Apps as people set them up: made, checked, and given new keys. For `banksman github` alone."""
