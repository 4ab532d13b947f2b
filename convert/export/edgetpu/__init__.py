"""`edgeclf export edgetpu`: what Google's Edge TPU maps of a model, and Google's compiler."""
