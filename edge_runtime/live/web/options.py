"""`--serve`, `--token` and `--teach`, and the view that they ask for."""

import ipaddress
import re
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ...errors import EdgeclfError
from ...images import RGBImage
from ...prediction import Prediction
from ...preprocess import ResizeRule
from ...teach.teaching import Teaching
from .view import WebView

_Command = TypeVar("_Command", bound=Callable[..., Any])

DEFAULT_ADDRESS = "127.0.0.1:8080"
TOKEN_VARIABLE = "EDGECLF_TOKEN"
_ADDRESS = re.compile(r"(?:(?P<host>[^:\[\]]+)?:|\[(?P<v6>[0-9a-fA-F:.]+)\]:)?(?P<port>\d{1,5})")
_TOKEN_LENGTH = 12
# What lies between us and a slow viewer of /stream is old by the time it is seen: not much.
_SEND_BUFFER = 64 * 1024
# A viewer whose network went away is given up after this long, in milliseconds.
_GIVE_UP_MS = 20_000


@dataclass(frozen=True)
class Address:
    """Where the page is served.

    Attributes:
        host: a name or number.
        port: 0 for any that is free.
    """

    host: str
    port: int

    def __str__(self) -> str:
        """As it stands in an address line."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def web_options(command: _Command) -> _Command:
    """Give a command the parameters `serve` (an `Address` or None), `token` and `teach`."""
    serve = click.option(
        "--serve",
        is_flag=False,
        flag_value=DEFAULT_ADDRESS,
        callback=_read_address,
        metavar="[HOST:]PORT",
        help=f"Serve the live web page at this address, {DEFAULT_ADDRESS} without a value.",
    )
    token = click.option(
        "--token",
        envvar=TOKEN_VARIABLE,
        metavar="TEXT",
        help="Token that opens the web page; generated if other machines can reach the page. "
        f"[{TOKEN_VARIABLE}]",
    )
    teach = click.option(
        "--teach",
        type=click.Path(path_type=Path),
        metavar="NEW.tflite",
        help="File for the classes that viewers of the web page teach; an existing one is taught "
        "further.",
    )
    return serve(token(teach(command)))


def open_web(
    serve: Address,
    token: str | None,
    *,
    classify: Callable[[RGBImage], Prediction],
    labels: tuple[str, ...],
    heatmap: bool,
    input_hw: tuple[int, int],
    resize: ResizeRule,
    thresholds: Mapping[str, float] | None = None,
    title: str = "edgeclf",
    teaching: Teaching | None = None,
) -> WebView:
    """Start the page, and say on stderr where it is.

    Args:
        serve: where it listens.
        token: what a viewer must know; None on a loopback address lets in who is on this machine,
            and on any other makes one up.
        classify: says what a photograph shows, with a heatmap where the model makes one; it is
            called on a thread of its own.
        labels: the classes, in the order of the model's output.
        heatmap: whether the model makes heatmaps.
        input_hw: height and width of the model's input.
        resize: how a frame is brought to that size.
        thresholds: the score from which each class is believed, for those that have one.
        title: what the page calls the model.
        teaching: of the file that viewers may teach; None where they may not.

    Raises:
        EdgeclfError: the extra `web` is missing, or the address or the token cannot be used.
    """
    check_web(token)
    from .app import Answers
    from .feed import Feed
    from .guard import Guard, RequestLimit
    from .pictures import PictureMaker
    from .state import About
    from .teaching import LiveTeaching
    from .uploads import Limits

    listener = _listen(serve)
    host, port = listener.getsockname()[:2]
    made_up = None
    is_loopback = ipaddress.ip_address(host.partition("%")[0]).is_loopback
    if token is None and not is_loopback:
        token = made_up = secrets.token_urlsafe(16)
    pictures = PictureMaker(input_hw=input_hw, rule=resize)
    feed, limits = Feed(pictures), Limits()
    about = About(
        title=title,
        labels=labels,
        thresholds=thresholds or {},
        heatmap=heatmap,
        max_bytes=limits.bytes,
        max_pixels=limits.pixels,
    )
    live_teaching = None if teaching is None else LiveTeaching(feed, teaching)
    app = Answers(feed, about, pictures, classify, live_teaching).app()
    guard = Guard(RequestLimit(app), token=token, cookie=f"edgeclf-{port}")
    view = WebView(feed, guard, listener)
    url = f"http://{Address(_reachable(host), port)}/"
    view.url = None if is_loopback else url
    known = f"?token={made_up}" if made_up else ""
    click.echo(f"Live on {url}{known}", err=True)
    return view


def _read_address(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> Address | None:
    if value is None:
        return None
    found = _ADDRESS.fullmatch(value)
    if found is None or int(found["port"]) > 65535:
        raise EdgeclfError(
            f"--serve {value}: expected PORT or HOST:PORT, such as {DEFAULT_ADDRESS} or "
            "0.0.0.0:8080; before another argument, write --serve=HOST:PORT"
        )
    return Address(found["host"] or found["v6"] or "127.0.0.1", int(found["port"]))


def check_web(token: str | None) -> None:
    """Refuse a page that could not be served.

    Raises:
        EdgeclfError: the extra `web` is missing, or `token` cannot be used.
    """
    try:
        import uvicorn  # noqa: F401

        from . import app, guard  # noqa: F401
    except ModuleNotFoundError as error:
        raise EdgeclfError(f"--serve needs {error.name}: pip install 'edgeclf[web]'") from None
    if token is not None and not re.fullmatch(rf"[A-Za-z0-9._~-]{{{_TOKEN_LENGTH},}}", token):
        raise EdgeclfError(
            f"--token: expected {_TOKEN_LENGTH} or more of A-Z a-z 0-9 . _ ~ -, as it stands in an "
            "address; leave it out, and one is made up"
        )


def _listen(address: Address) -> socket.socket:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _no_address(address, error) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GIVE_UP_MS)
        listener.bind(where)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise _no_address(address, error) from None
    return listener


def _no_address(address: Address, error: OSError) -> EdgeclfError:
    return EdgeclfError(
        f"--serve {address}: cannot listen there ({error.strerror}); choose another, or port 0 for "
        "any that is free"
    )


def _reachable(host: str) -> str:
    """Return the number by which others reach this machine, where it listens on all."""
    if not ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: asks the system for the way out
        except OSError:
            return socket.gethostname()
        return str(probe.getsockname()[0])
