"""How alike photographs are: their appearance, near-duplicates, scenes and landmarks."""
