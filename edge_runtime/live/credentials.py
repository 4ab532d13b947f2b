"""Secrets that no command line shows: from the environment, or from systemd's credentials."""

import os
from collections.abc import Mapping
from pathlib import Path

from ..errors import EdgeclfError

# Where systemd puts what LoadCredential= names: systemd.exec(5), "Credentials".
_FOLDER = "CREDENTIALS_DIRECTORY"


def read_secret(name: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the secret `name`: the variable of that name, else the systemd credential.

    Raises:
        EdgeclfError: the credential is there and cannot be read.
    """
    value = environment.get(name)
    if value or not environment.get(_FOLDER):
        return value or None
    path = Path(environment[_FOLDER]) / name
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n") or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise EdgeclfError(
            f"{path}: the credential cannot be read ({reason}); give one line of text"
        ) from None
