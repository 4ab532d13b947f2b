"""`edgeclf benchmark heatmaps`: how well heatmaps point at defects."""
