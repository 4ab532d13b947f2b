"""Whether this machine is fit to run a model on a camera, check by check, and the mends."""
