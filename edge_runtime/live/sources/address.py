"""Where a camera is: read once from what the user wrote, with a name that holds no secret.

Cameras take passwords anywhere: in front of the host, in the query, in the path. So the public name
is made of what is known to be harmless, and not by taking out what looks like a password.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, unquote

from ...errors import EdgeclfError
from ..credentials import read_secret

PI_CAMERA = "picamera"
SECRET = "secret:"
SCHEMES = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}

Kind = Literal["v4l2", "picamera", "rtsp", "http", "secret"]

_DEVICE = re.compile(r"[0-9]{1,3}|/dev/video[0-9]{1,3}|/dev/v4l/.+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ADDRESS = re.compile(rf"({'|'.join(SCHEMES)})(?=:)|([a-z][a-z0-9+.-]+)(?=://)", re.IGNORECASE)
_NO_SCHEME = re.compile(r"(//)?[^/\s@:]+:[^@]*@.+", re.DOTALL)
_HOST_AND_PORT = re.compile(
    r"(?:\[(?P<v6>[0-9a-f:.]+(?:%\w+)?)\]|(?P<host>[\w.-]+))(?::(?P<port>[0-9]{0,5}))?"
)
# What a text may repeat of an address: it lacks a slash where it was taken for a path.
_IN_TEXT = re.compile(
    r"\b([a-z][a-z0-9+.-]+):/+(?:.*@)?[^ ]*|(?<![^\s'\"])/*[^\s\[/:'\"]+:[^\s\[]*@\S+",
    re.IGNORECASE | re.DOTALL,
)

# What cameras' paths are made of. A segment of anything else may be a secret, and so may a number
# of four digits.
_WORDS = (
    "av|axis|bin|cam|camera|cgi|ch|channel|channels|feed|h264|h265|image|img|index|isapi|jpeg|jpg|"
    "live|main|media|mjpeg|mjpg|mpeg|mpeg4|mpg|onvif|preview|profile|profiles|real|realmonitor|"
    "snap|snapshot|stream|streaming|streams|sub|test|video|videos|vid|view"
)
_HARMLESS = re.compile(rf"(?:/(?:(?:{_WORDS}|[0-9])[-_.]?)*)+", re.IGNORECASE)
_KNOWN = re.compile(_WORDS, re.IGNORECASE)
_MOST_DIGITS = 3
_LONGEST_PATH = 64
# Of archives: their paths name files, and secrets stand before the host or behind `?`.
_STORES = {"abfs", "file", "gs", "s3", "sftp"}
# What an address may hold as it stands (RFC 3986), and the % of what is escaped already.
_SAFE = "%/?:@!$&'()*+,;=-._~[]{}|^`<>\""


@dataclass(frozen=True)
class CameraAddress:
    """A camera, as `edgeclf run`, `doctor` and `service` take it.

    Attributes:
        kind: how it is read: `v4l2` (USB), `picamera`, `rtsp` or `http`; `secret` for an address
            that stands elsewhere, see `resolved`.
        name: what people and programs see; never holds a secret. For `v4l2` it is the device.
        scheme: `rtsp`, `rtsps`, `http` or `https`; empty unless the camera is in the network.
        host: its name or number, without brackets.
        port: the given one, or that of the scheme.
        userinfo: user and password as they were written; may be empty.
        target: path and query, as they are asked for; begins with `/`.
    """

    kind: Kind
    name: str
    scheme: str = ""
    host: str = ""
    port: int = 0
    userinfo: str = field(default="", repr=False)
    target: str = field(default="", repr=False)

    @classmethod
    def parse(cls, source: str) -> "CameraAddress | None":
        """Return the camera that `source` names; None for what can only be a file.

        Raises:
            EdgeclfError: a malformed address; the message does not repeat it.
        """
        if source == PI_CAMERA:
            return cls("picamera", PI_CAMERA)
        if _DEVICE.fullmatch(source):
            return cls("v4l2", f"/dev/video{int(source)}" if source.isdecimal() else source)
        if source.startswith(SECRET):
            if not _VARIABLE.fullmatch(source.removeprefix(SECRET)):
                raise EdgeclfError(
                    f"{SECRET}…: no name of a variable; give one of letters, digits and _, such as "
                    f"{SECRET}EDGECLF_CAMERA"
                )
            return cls("secret", source)
        found = _ADDRESS.match(source)
        if found is not None:
            return cls._parse_url(found[0].lower(), source[found.end() :])
        if _NO_SCHEME.fullmatch(source):
            raise EdgeclfError(
                "an address without its scheme; write rtsp://, rtsps://, http:// or https:// first"
            )
        return None

    @classmethod
    def _parse_url(cls, scheme: str, rest: str) -> "CameraAddress":
        if scheme not in SCHEMES:
            raise _malformed(scheme, f"is no camera's; give {', '.join(SCHEMES)}")
        userinfo, place, target = _split(scheme, rest)
        host, port = _host_and_port(scheme, place)
        name = f"{scheme}://{place.rstrip(':')}{public_path(target)}"
        kind: Kind = "http" if scheme.startswith("http") else "rtsp"
        return cls(kind, name, scheme, host, port, userinfo, quote(target, safe=_SAFE))

    @property
    def is_network(self) -> bool:
        """Whether the camera is in the network, and no device of this machine."""
        return self.kind in ("rtsp", "http", "secret")

    @property
    def holds_secret(self) -> bool:
        """Whether the address says more than its public name, which may be a secret."""
        return bool(self.userinfo) or (self.target or "/") != (public_path(self.target) or "/")

    @property
    def user(self) -> str | None:
        """Return who logs in; None for nobody."""
        return unquote(self.userinfo.partition(":")[0]) if self.userinfo else None

    @property
    def password(self) -> str:
        """Return what proves it; empty if there is none."""
        return unquote(self.userinfo.partition(":")[2])

    @property
    def url(self) -> str:
        """Return the whole address, secrets included: for the library that connects, alone."""
        return f"{self.scheme}://{self.userinfo and self.userinfo + '@'}{self._place}{self.target}"

    @property
    def url_without_user(self) -> str:
        """Return the address without user and password; path and query may still hold secrets."""
        return f"{self.scheme}://{self._place}{self.target}"

    @property
    def _place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def resolved(self, environment: Mapping[str, str] = os.environ) -> "CameraAddress":
        """Return the address itself; one of kind `secret` is read from `environment`.

        Raises:
            EdgeclfError: there is no such secret, or it is no address.
        """
        if self.kind != "secret":
            return self
        value = read_secret(variable := self.name.removeprefix(SECRET), environment)
        if value is None:
            raise EdgeclfError(
                f"{self.name}: there is none; set the variable {variable}, or the systemd "
                "credential of that name, to the camera's address"
            )
        try:
            found = CameraAddress.parse(value)
        except EdgeclfError as error:
            raise EdgeclfError(f"{self.name}: {error}") from None
        if found is None or found.kind not in ("rtsp", "http"):
            raise EdgeclfError(f"{self.name}: holds no address; give {', '.join(SCHEMES)}")
        return found


def _split(scheme: str, rest: str) -> tuple[str, str, str]:
    """Return user and password, host and port, and path with query, of what follows a scheme."""
    if not rest.startswith("://"):
        raise _malformed(scheme, f"lacks a slash; give {scheme}://HOST[:PORT]/PATH")
    if not rest.isprintable() or " " in rest or "\\" in rest:
        reason = "holds a blank, a backslash or a control character; write %20 for a blank"
        raise _malformed(scheme, reason)
    authority, slash, target = re.split(r"([/?#]|$)", rest[3:], maxsplit=1)
    if "@" in target:
        raise _malformed(
            scheme,
            "holds an @ behind the host; in user and password write %2F for /, %3F for ?, %23 for "
            "# and %40 for @, and %40 behind the host, too",
        )
    if "#" in slash + target:
        raise _malformed(scheme, "holds a #, which would end it; write %23 for it")
    userinfo, _, place = authority.rpartition("@")
    return userinfo, place.lower(), ("" if slash == "/" else "/") + slash + target


def _host_and_port(scheme: str, place: str) -> tuple[str, int]:
    if not place.partition(":")[0]:
        raise _malformed(scheme, f"names no host; give {scheme}://HOST[:PORT]/PATH")
    found = _HOST_AND_PORT.fullmatch(place)
    if found is None:
        reason = "has a host or a port that cannot be; give HOST, HOST:PORT or [IPV6]:PORT"
        raise _malformed(scheme, reason)
    host, port = found["v6"] or found["host"], int(found["port"] or SCHEMES[scheme])
    if not 0 < port < 65536:
        raise _malformed(scheme, "has a port that cannot be; give 1 to 65535")
    try:
        host.encode("idna")
    except UnicodeError:
        raise _malformed(scheme, "has a host that cannot be; give its name or number") from None
    return host, port


def _malformed(scheme: str, reason: str) -> EdgeclfError:
    """Return an error that repeats nothing of an address but its scheme."""
    return EdgeclfError(f"the {scheme} address {reason}")


def public_path(target: str) -> str:
    """Return the path of `target` (path and query) where it is plainly harmless, else nothing."""
    path = target.partition("?")[0]
    if path == "/" or len(path) > _LONGEST_PATH or not _HARMLESS.fullmatch(path):
        return ""
    digits = sum(map(str.isdigit, _KNOWN.sub("", path)))
    return path if digits <= _MOST_DIGITS else ""


def without_secrets(text: str) -> str:
    """Return `text` with each address in it by its public name, or by its scheme alone."""
    return _IN_TEXT.sub(_public, text)


def _public(found: re.Match[str]) -> str:
    if found[0].endswith("://USER:PASSWORD@…"):
        return found[0]  # our own hint
    scheme, _, rest = found[0].partition(":/")
    if found[1] and scheme.lower() in _STORES:
        return f"{scheme.lower()}://{rest.lstrip('/').rpartition('@')[2].partition('?')[0]}"
    try:
        address = CameraAddress.parse(f"{scheme}://{rest.lstrip('/')}") if found[1] else None
    except EdgeclfError:
        address = None
    return address.name if address else f"{found[1].lower()}://…" if found[1] else "…@…"
