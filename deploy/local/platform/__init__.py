"""The platform of the embedded environment: it runs web services, each release in a container of its own."""
