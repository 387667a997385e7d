"""`python -m workers` is the `banksman` command: the supervisor starts its children this way."""

from workers.cli import main

main()
