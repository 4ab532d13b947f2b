"""A web view of its own for each test."""

from collections.abc import Iterator

import pytest
from web_client import Seen, opened

from edgeclf.edge_runtime.live.web.view import WebView


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def view(seen: Seen) -> Iterator[WebView]:
    with opened(seen) as view:
        yield view
