"""What is done to a graph before int8: a module each, named in `catalogue`, applied by `registry`."""
