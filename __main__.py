"""`python -m edgeclf` is the command `edgeclf`."""

from .cli import main

main()
