"""The novelty model of a file: fitted on what the file itself computes of the training images."""
