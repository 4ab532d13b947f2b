"""Where an MQTT broker is: mqtt[s]://user:password@host:port/prefix."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from ....errors import EdgeclfError
from ...credentials import read_secret

PASSWORD_VARIABLE = "EDGECLF_MQTT_PASSWORD"
DEFAULT_PREFIX = "edgeclf"
_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True)
class MqttAddress:
    """A broker, and under which topic to speak there.

    Attributes:
        host: name or address.
        port: TCP port.
        tls: whether the connection is encrypted, and the broker's certificate checked.
        prefix: first levels of each topic, such as `cellar/camera`.
        user: who connects; None for nobody.
        password: of the user; never shown.
    """

    host: str
    port: int
    tls: bool
    prefix: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str, environment: Mapping[str, str]) -> "MqttAddress":
        """Read a URL; a password that it lacks is a secret of the environment: `read_secret`.

        Raises:
            EdgeclfError: it is no such URL. The message does not repeat it: it may hold a password.
        """
        mend = (
            "the address of the MQTT broker cannot be read; give "
            "mqtt[s]://[user[:password]@]host[:port][/prefix], with %40 for an @ in the "
            f"password, or the password in {PASSWORD_VARIABLE}"
        )
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS[parts.scheme]
        except (ValueError, KeyError):
            raise EdgeclfError(mend) from None
        prefix = unquote(parts.path).strip("/")
        wild = re.search(r"[+#\0]", prefix) or "@" in parts.path
        wrong = parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment
        if wrong or wild:
            raise EdgeclfError(mend)
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        if user is not None and password is None:
            password = read_secret(PASSWORD_VARIABLE, environment)
        return cls(
            host=parts.hostname or "",
            port=port,
            tls=parts.scheme == "mqtts",
            prefix=prefix or DEFAULT_PREFIX,
            user=user,
            password=password,
        )

    def __str__(self) -> str:
        """Return the URL without user and password."""
        return f"{self._place('')}/{self.prefix}"

    @property
    def url_without_password(self) -> str:
        """Return a URL with the user alone, as `parse` reads it."""
        user = "" if self.user is None else quote(self.user, safe="") + "@"
        return f"{self._place(user)}/{quote(self.prefix)}"

    def _place(self, user: str) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mqtt{'s' if self.tls else ''}://{user}{host}:{self.port}"
