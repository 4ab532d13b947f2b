"""What the pages of several commands share: elements, tables, thumbnails and one look."""
