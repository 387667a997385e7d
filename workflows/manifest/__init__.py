"""The service manifest: what a repository says of its service in `banksman.yaml`, read as text that anybody wrote."""
