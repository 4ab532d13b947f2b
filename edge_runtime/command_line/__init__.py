"""What the commands share: the types of their options, and tables for a terminal."""
