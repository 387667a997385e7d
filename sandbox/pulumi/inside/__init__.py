"""What runs inside of the two containers of a Pulumi run: sent in with each order, never imported by the worker.

`engine` and all that it imports run beside the CLI, on the libraries of the image with Pulumi; `program` runs beside
the user's code, on the standard library alone.
"""
