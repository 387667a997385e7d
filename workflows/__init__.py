"""Goals: one file each, with their contracts and retry presets."""
