"""Models for places where edgeclf itself does not run."""
