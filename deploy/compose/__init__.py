"""The system on one host, from published images: what docker-compose.yml at the root needs."""
