"""The charts, drawn as SVG: each module draws one kind."""
