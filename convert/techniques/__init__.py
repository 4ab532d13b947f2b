"""What is done to a graph before int8: a technique a module; `registry` applies them."""
