"""What is kept of a person, a repository or an installation, found and deleted. For `banksman github forget` alone."""
