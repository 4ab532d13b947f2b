"""What others give is checked: the arguments of the API, and JSON."""
