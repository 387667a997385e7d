"""The policy in force, shown and explained. It is changed where it lies, by a pull request, and on no page."""
