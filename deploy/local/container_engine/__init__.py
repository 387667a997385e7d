"""The container engine of the embedded environment: found, or started."""
