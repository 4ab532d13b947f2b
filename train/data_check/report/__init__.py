"""What a check of data found, in sentences, pictures and a page."""
