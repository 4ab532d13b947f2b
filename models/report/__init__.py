"""What the pages of several commands share: elements, tables, figures, thumbnails and one style."""
