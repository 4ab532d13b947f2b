"""The characters that a report may hold."""

import re

# What XML 1.0 forbids, https://www.w3.org/TR/xml/#charsets, as it can stand in the name of a file.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(value: str) -> str:
    """Return the text with U+FFFD for each character that no XML may hold."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", value)
