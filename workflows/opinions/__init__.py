"""What people think of what a goal did."""
