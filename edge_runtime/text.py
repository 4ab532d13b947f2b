"""Text of others, names of files and classes and cameras, made safe for where it is written."""

import codecs
import io
import sys
import unicodedata

# A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# Persian and Indian scripts need them within words.
_JOINERS = {"\u200c", "\u200d"}


def printable(text: str) -> str:
    """Return `text` with what a terminal would obey or hide escaped, as \\x1b or \\u202e.

    Control characters, those that turn the direction of writing, and bytes that are no UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in _JOINERS else _escaped(each) for each in text
    )


def printable_lines(text: str) -> str:
    """Return `text` as `printable` does, its line breaks left as they are."""
    return "\n".join(printable(line) for line in text.split("\n"))


def invisible_in(name: str) -> str | None:
    """Return the first character of `name` that nobody sees, escaped; None if there is none."""
    return next(
        (
            _escaped(each)
            for each in name
            if unicodedata.category(each) in _INVISIBLE and each not in _JOINERS
        ),
        None,
    )


def alike(name: str) -> str:
    """Return what is the same for names that people cannot tell apart, and file systems may mix.

    Case, composed or decomposed accents, widths, and characters that are not seen do not count.
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    seen = "".join(each for each in folded if unicodedata.category(each) not in _INVISIBLE)
    return " ".join(unicodedata.normalize("NFKC", seen).split())


def csv_cell(text: str) -> str:
    """Return `text` for a CSV file that a spreadsheet may open: with ' before what looks a formula.

    `csv_text` turns it back.
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_text(cell: str) -> str:
    """Return the text of which `csv_cell` made `cell`."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def escape_what_output_cannot_write() -> None:
    """Let standard output and error escape what their encoding lacks, instead of failing.

    The escapes are those of JSON, so that a line of JSON stays one.
    """
    codecs.register_error("edgeclf", _escape_error)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="edgeclf")


def _escape_error(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    units = text.encode("utf-16-be", "surrogatepass")
    escaped = "".join(
        # The rule of a table, which no text of others needs.
        "-" if units[at : at + 2] == b"\x25\x00" else f"\\u{units[at : at + 2].hex()}"
        for at in range(0, len(units), 2)
    )
    return escaped, error.end


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
