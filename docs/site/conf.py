"""How Sphinx makes the documentation site: `make docs`, in strict mode."""

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

from edgeclf import __version__

sys.path.insert(0, str(Path(__file__).parent))  # for the extension `command_reference`

project = "edgeclf"
release = version = __version__
copyright = "the authors of edgeclf"  # noqa: A001 -- Sphinx's name

# The source folder is the repository, so that a link leads to the same page here and there.
root_doc = "docs/index"
include_patterns = [
    *("docs/*.md", "docs/*/*.md"),
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"),
]
exclude_patterns = [".*", "**/.*"]
extensions = ["myst_parser", "command_reference"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4

smartquotes = False  # it makes one dash of the two before an option

html_theme = "furo"
html_title = f"edgeclf {__version__}"
html_additional_pages = {"index": "redirect.html"}
templates_path = ["."]
html_copy_source = False
html_show_sphinx = False

# The sidebar. A page that stands nowhere in it is a warning, and so a failure.
_NAVIGATION = {
    "Begin": ["../README", "usage"],
    "Data and training": [
        *("train/data", "train/architectures", "train/training", "train/evaluation"),
        *("train/fit", "train/slim", "train/good-only"),
    ],
    "Quantization": ["convert/quantization", "convert/benchmark", "convert/novelty"],
    "On devices": [
        *("device/raspberry-pi", "device/runtimes", "device/live", "device/service"),
        *("device/teach", "device/browser", "device/npu", "device/accelerators"),
    ],
    "Archives": ["fleet/bulk"],
    "Reference": [
        *("reference/commands", "reference/api", "reference/input", "reference/records"),
        "schemas/index",
    ],
    "edgeclf itself": [
        *("../CONTRIBUTING", "../SECURITY", "../CHANGELOG", "develop/releasing"),
        *("develop/pi", "develop/dependencies", "develop/dependencies-train"),
    ],
}


def _prepare_index(_app: Sphinx, page: str, source: list[str]) -> None:
    """Append the sidebar to the index, and name its pages by their titles instead of their files.

    In docs/index.md itself a reader of the repository would see the one, and miss the other.
    """
    if page == root_doc:
        text = re.sub(r"\[[\w/-]+\.md\]\(([^)]+)\)", r"[](\1)", source[0])
        for title, pages in _NAVIGATION.items():
            lines = "\n".join(pages)
            text += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{lines}\n```\n"
        source[0] = text


def setup(app: Sphinx) -> None:
    """Connect the above."""
    app.connect("source-read", _prepare_index)
