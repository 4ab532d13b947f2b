"""The limits that keep files easy to find and to read: files in a folder, lines in a file."""

import subprocess
from collections import Counter
from pathlib import Path

import pytest
from repository import REPOSITORY
from skips import require_program, skip_without

MOST_FILES, MOST_LINES = 14, 300
CODE = {".css", ".html", ".js", ".py"}


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """The files that git has, as paths in the repository."""
    command = [require_program("git"), "ls-files", "-z"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        skip_without("git", done.stderr.strip())
    found = [Path(name) for name in done.stdout.split("\0") if name]
    return [path for path in found if (REPOSITORY / path).is_file()]


def test_no_folder_of_the_product_is_crowded(tracked: list[Path]) -> None:
    counts = Counter(path.parent.as_posix() for path in tracked if path.parts[0] != "tests")
    assert counts["convert"] > 3
    assert {folder: count for folder, count in counts.items() if count > MOST_FILES} == {}


def test_no_file_of_the_product_is_long(tracked: list[Path]) -> None:
    product = [path for path in tracked if path.suffix in CODE and path.parts[0] != "tests"]
    lines = {
        path.as_posix(): len((REPOSITORY / path).read_text(encoding="utf-8").splitlines())
        for path in product
    }
    assert lines["edge_runtime/classifier.py"] > 100
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}
