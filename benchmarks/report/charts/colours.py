"""The colour of each model."""

from ...results.schema import Benchmark


def colour_classes(benchmark: Benchmark) -> dict[str, str]:
    """Return the class of style of each model: ink for the reference, a colour for the others."""
    others = [model.name for model in benchmark.models if not model.reference]
    classes = {name: f"c{i % 7}" for i, name in enumerate(others)}
    return classes | ({benchmark.reference.name: "ref"} if benchmark.reference else {})
