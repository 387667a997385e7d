"""Looking at services from outside: a page by one request, a number by one question to Prometheus. No credential."""
