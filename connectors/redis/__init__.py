"""Redis itself, whoever runs it: connections to a database, and who may do what in it."""
