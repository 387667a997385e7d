"""Language models, behind backends that a deployment names. Nothing but this package imports pydantic-ai."""
