"""Where the repository lies, for tests of its files."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
