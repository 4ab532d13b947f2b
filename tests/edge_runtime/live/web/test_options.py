"""The options of the web view."""

import socket
import subprocess
from collections.abc import Callable
from typing import Any

import click
import pytest
from live_feed import LABELS
from web_client import TOKEN, Seen, opened

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.live.web.options import Address, open_web, web_options

FreshPython = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], None),
        (["--serve"], Address("127.0.0.1", 8080)),
        (["--serve", "9000"], Address("127.0.0.1", 9000)),
        (["--serve=:9000"], Address("127.0.0.1", 9000)),
        (["--serve=0.0.0.0:80"], Address("0.0.0.0", 80)),
        (["--serve=camera.local:80"], Address("camera.local", 80)),
        (["--serve=[::1]:80"], Address("::1", 80)),
    ],
)
def test_addresses(arguments: list[str], expected: Address | None) -> None:
    assert parsed(arguments)["serve"] == expected


@pytest.mark.parametrize(
    "value", ["int8.tflite", "0.0.0.0", "1:2:3", "99999", "[::1]", "x:y", "::1:80"]
)
def test_what_is_no_address(value: str) -> None:
    with pytest.raises(EdgeclfError, match="expected PORT or HOST:PORT") as error:
        parsed([f"--serve={value}"])
    assert str(error.value).startswith(f"--serve {value}: ")


def test_the_token_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parsed([])["token"] is None
    monkeypatch.setenv("EDGECLF_TOKEN", TOKEN)
    assert parsed([])["token"] == TOKEN
    assert parsed(["--token", "another"])["token"] == "another"


def parsed(arguments: list[str]) -> dict[str, Any]:
    @click.command()
    @web_options
    def command(**values: Any) -> dict[str, Any]:
        return values

    result: dict[str, Any] = command.main(arguments, standalone_mode=False)
    return result


@pytest.mark.parametrize("token", ["", "short", "with space in it", "straße-straße"])
def test_weak_tokens_are_refused(seen: Seen, token: str) -> None:
    with pytest.raises(EdgeclfError, match="expected 12 or more"), opened(seen, token=token):
        pass


def test_a_port_that_is_taken(seen: Seen) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EdgeclfError, match=f"127.0.0.1:{port}: cannot listen there"):
            open_web(
                Address("127.0.0.1", port),
                None,
                classify=seen,
                labels=LABELS,
                heatmap=False,
                input_hw=(32, 32),
                resize="stretch",
            )
    with pytest.raises(EdgeclfError, match="cannot listen there"), opened(seen, host="no.invalid"):
        pass


WITHOUT_EXTRA = """
import sys
from edgeclf.edge_runtime.live.web.options import Address, open_web
print([name for name in ("starlette", "uvicorn", "anyio") if name in sys.modules])
sys.modules["uvicorn"] = None
open_web(Address("127.0.0.1", 0), None, classify=None, labels=(), heatmap=False,
         input_hw=(1, 1), resize="stretch")
"""


def test_the_extra_is_named_when_it_is_missing(fresh_python: FreshPython) -> None:
    done = fresh_python(WITHOUT_EXTRA)
    assert done.stdout == "[]\n"
    assert done.stderr.splitlines()[-1].endswith("uvicorn: pip install 'edgeclf[web]'")
