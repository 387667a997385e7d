"""Goals on GPUs at Lambda Labs."""
