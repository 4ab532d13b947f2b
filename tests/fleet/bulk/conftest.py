"""What the tests of `edgeclf bulk` share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def model(request: pytest.FixtureRequest) -> Path:
    """The tiny int8 file."""
    folder: Path = request.getfixturevalue("tiny_models")
    return folder / "int8.tflite"


@pytest.fixture(scope="session")
def images(surfaces: Path) -> list[Path]:
    """The 96 images of the data folder, sorted."""
    return sorted(surfaces.rglob("*.png"))
