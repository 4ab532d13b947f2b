"""What `edgeclf fit` shows: a table for the terminal and a page."""
