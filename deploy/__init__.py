"""Everything that brings the system up."""
