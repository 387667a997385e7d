"""What is limited, by whom, and how much of it is used."""
