"""Where our GitHub App is installed, to look at."""
