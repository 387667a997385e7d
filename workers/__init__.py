"""Process entry points, the banksman command, settings and wiring."""
