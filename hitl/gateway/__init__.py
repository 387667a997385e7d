"""What every surface of people shares: approvals as the server says they are, signed clicks, signed starts."""
