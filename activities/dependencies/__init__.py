"""What repositories are made of: their manifests, read and joined."""
