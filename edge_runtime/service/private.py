"""What is secret on the command line of a service: out of its unit, into a file for root alone."""

import os
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import EdgeclfError
from ..files import write_text
from ..live.sinks.mqtt.address import PASSWORD_VARIABLE, MqttAddress
from ..live.sources.address import SECRET, CameraAddress, without_secrets
from ..live.web.options import TOKEN_VARIABLE

_CAMERA_VARIABLE = "EDGECLF_CAMERA"
# What a value in double quotes has to escape: systemd.exec(5), EnvironmentFile=.
_ESCAPED = re.compile(r'["\\$`]')


@dataclass(frozen=True)
class PublicWords:
    """A command line that everybody may read, and what was taken out of it.

    Attributes:
        source: the camera, as `edgeclf run` takes it.
        options: of `edgeclf run`.
        secrets: by the name of the variable from which `run` takes each.
    """

    source: str
    options: tuple[str, ...]
    secrets: dict[str, str] = field(repr=False)


def take_out_secrets(
    source: str, camera: CameraAddress | None, options: tuple[str, ...]
) -> PublicWords:
    """Return the command line without what is, or may be, a secret in it.

    Raises:
        EdgeclfError: an address stands where `edgeclf run` takes none.
    """
    secrets: dict[str, str] = {}
    if camera is not None and camera.holds_secret:
        secrets[_CAMERA_VARIABLE] = source
        source = SECRET + _CAMERA_VARIABLE
    words: list[str] = []
    waiting = [*options]
    while waiting:
        name, equals, value = waiting.pop(0).partition("=")
        if name not in ("--mqtt", "--token", "--accelerator") or not (equals or waiting):
            words.append(_checked(name + equals + value))
            continue
        value = value if equals else waiting.pop(0)
        if name == "--token":
            secrets[TOKEN_VARIABLE] = value
            continue
        if name == "--accelerator":  # a path among a delegate's options is no address
            words += [name, value]
            continue
        broker = MqttAddress.parse(value, {})
        if broker.password is not None:
            secrets[PASSWORD_VARIABLE] = broker.password
            value = broker.url_without_password
        words += [name, value]
    return PublicWords(source, tuple(words), secrets)


def _checked(word: str) -> str:
    if without_secrets(word) != word:
        raise EdgeclfError(
            f"{without_secrets(word)}: an address that may hold a secret, as an option that takes "
            "none; give the camera as SOURCE"
        )
    return word


def environment_line(name: str, value: str) -> str:
    """Return a line of a file that systemd reads with EnvironmentFile=.

    Raises:
        EdgeclfError: no such line can hold the value.
    """
    if not value.isprintable():
        raise EdgeclfError(f"{name}: holds a control character, which no such file can")
    return f'{name}="{_ESCAPED.sub(lambda found: chr(92) + found[0], value)}"'


def write_environment(path: Path, secrets: dict[str, str]) -> None:
    """Put the secrets into the file at `path`, which only its owner may read; the rest stays."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        lines = []
    except (OSError, UnicodeDecodeError):
        raise EdgeclfError(f"{path}: cannot be read; mend or remove it") from None
    lines = [line for line in lines if line.partition("=")[0].strip() not in secrets]
    lines += [environment_line(name, value) for name, value in secrets.items()]
    before = os.umask(0o077)
    try:
        write_text(path, "\n".join(lines) + "\n")
    finally:
        os.umask(before)


def warning(words: PublicWords, *, path: Path, written: bool) -> str:
    """Return what to tell of the secrets: where they are, and what is to be done."""
    names = " and ".join(words.secrets)
    lines = " and ".join(f"{name}=…" for name in words.secrets)
    mend = f"write {lines} to {path}, for root alone (chmod 600), or make it a systemd credential"
    where = f"{path} holds it now, for root alone" if written else mend
    instead = shlex.join(["edgeclf", "service", "MODEL", words.source, *words.options])
    return (
        "the command line holds what may be a secret, which other users and the shell's history "
        f"show; the unit does not hold it, but takes {names} from its environment: {where}. The "
        f"same without a secret: {instead}"
    )
