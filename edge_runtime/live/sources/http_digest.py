"""Digest authentication, which most cameras of the network ask for (RFC 7616)."""

import hashlib
import re
import secrets
from collections.abc import Callable

_PAIR = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')
_ALGORITHMS: dict[str, Callable[[bytes], "hashlib._Hash"]] = {
    "MD5": hashlib.md5,
    "SHA-256": hashlib.sha256,
}


def digest_answer(
    challenge: str, *, path: str, user: str, password: str, nonce_of_ours: str | None = None
) -> str | None:
    """Return the `Authorization` header of a GET that answers `challenge`.

    Args:
        challenge: the `WWW-Authenticate` header.
        path: what is asked for, with the query.
        user: who asks.
        password: proves it.
        nonce_of_ours: what makes the answer unlike any other; random unless given.

    Returns:
        The header; None if the challenge asks for what we have not.
    """
    kind, _, rest = challenge.partition(" ")
    asked = {name.lower(): quoted or plain for name, quoted, plain in _PAIR.findall(rest)}
    algorithm = asked.get("algorithm", "MD5")
    new_hash = _ALGORITHMS.get(algorithm.upper())
    quality = [word.strip() for word in asked.get("qop", "").split(",") if word.strip()]
    if (
        kind.lower() != "digest"
        or new_hash is None
        or not {"realm", "nonce"} <= asked.keys()
        or (quality and "auth" not in quality)
    ):
        return None

    def digest(*parts: str) -> str:
        return new_hash(":".join(parts).encode()).hexdigest()

    secret, action = digest(user, asked["realm"], password), digest("GET", path)
    header = f'Digest username="{user}", realm="{asked["realm"]}", nonce="{asked["nonce"]}"'
    header += f', uri="{path}", algorithm={algorithm}'
    if quality:
        ours = nonce_of_ours or secrets.token_hex(16)
        response = digest(secret, asked["nonce"], "00000001", ours, "auth", action)
        header += f', qop=auth, nc=00000001, cnonce="{ours}"'
    else:
        response = digest(secret, asked["nonce"], action)
    if "opaque" in asked:
        header += f', opaque="{asked["opaque"]}"'
    return f'{header}, response="{response}"'
