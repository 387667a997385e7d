"""Steps that look at what the deployment observed of itself."""
