"""What a sink reports."""

import pytest


@pytest.fixture
def warnings() -> list[str]:
    return []
