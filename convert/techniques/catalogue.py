"""Names, summaries and sources of the techniques; importing this loads nothing heavy.

A technique's name is that of its module, of the function in it and of its option value. The help of
`edgeclf convert`, the table in docs/convert/quantization.md and the titles of benchmarks/peers come
from here; `registry` says how each one is applied.
"""

from dataclasses import dataclass

from ...edge_runtime.errors import EdgeclfError

_NAGEL = "[Nagel 2019](https://arxiv.org/abs/1906.04721)"
_FRANTAR = "[Frantar 2022](https://arxiv.org/abs/2210.17323)"


@dataclass(frozen=True)
class Summary:
    """A technique in a line.

    Attributes:
        name: what it is called everywhere.
        text: what it does.
        source: the paper, in Markdown, and how ours differs from it; empty if it is our own.
    """

    name: str
    text: str
    source: str = ""


# In the order in which they are applied.
SUMMARIES = (
    Summary(
        "input_zero",
        "the input's zero point is the mean of the pixels' normalisation, if it can be",
    ),
    Summary("pixel_pairs", "the first convolution reads pixels in pairs, unnormalised"),
    Summary(
        "average_pooling", "average pooling is a depthwise convolution with a range of its own"
    ),
    Summary(
        "equalize_concats",
        "the channels of a concatenation get a common range",
        f"{_NAGEL}, moved",
    ),
    Summary(
        "equalize_sums",
        "the channels of what a residual network adds up get closer ranges",
        f"{_NAGEL}, extended",
    ),
    Summary("equalize_layers", "the channels between two layers get closer ranges", _NAGEL),
    Summary(
        "relative_logits", "logits are counted from the best one, which takes a third of the range"
    ),
    Summary(
        "gptq", "each weight is rounded to make up for the errors of those before it", _FRANTAR
    ),
    Summary(
        "bias_correction",
        "each layer's bias makes up for the mean error of its rounded output",
        _NAGEL,
    ),
)
NAMES = tuple(summary.name for summary in SUMMARIES)


def parse_names(text: str) -> tuple[str, ...]:
    """Return the names of a comma-separated list, `all` or `none`, in the order of `NAMES`."""
    if text in {"all", "none"}:
        return NAMES if text == "all" else ()
    names = {name.strip() for name in text.split(",")}
    unknown = sorted(names - set(NAMES))
    if unknown:
        raise EdgeclfError(
            f"unknown technique {', '.join(map(repr, unknown))}; "
            f"known: {', '.join(NAMES)}; or all, or none"
        )
    return tuple(name for name in NAMES if name in names)


def markdown_table() -> str:
    """Return the table of docs/convert/quantization.md, whose test compares the two."""
    rows = [f"| `{each.name}` | {each.text} | {each.source} |" for each in SUMMARIES]
    return "\n".join(["| technique | what it does | source |", "|---|---|---|", *rows])
