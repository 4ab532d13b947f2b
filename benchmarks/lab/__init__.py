"""Long measurements for developers, run with `python -m`: the live soak, training's speed."""
