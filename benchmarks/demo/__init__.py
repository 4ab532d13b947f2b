"""`edgeclf demo`: the whole road on a data set that is drawn."""
