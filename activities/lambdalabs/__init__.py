"""Steps on GPUs at Lambda Labs."""
