"""Files by a pattern of their names, as a shell knows them; `**` stands for folders at any depth.

Unlike the standard library's, `**` reads each folder once, whatever links lead to it.
"""

import glob
import re
from pathlib import Path

from .folders import scan_folder

_ANY_DEPTH = "**"


def find_matches(pattern: str) -> list[Path]:
    """Return the files that match `pattern`, sorted; hidden ones only where it names the dot."""
    parts = Path(pattern).parts
    if _ANY_DEPTH not in parts:
        return sorted(path for name in glob.glob(pattern) if (path := Path(name)).is_file())  # noqa: PTH207, it may be absolute
    first = parts.index(_ANY_DEPTH)
    inner = _regex(parts[first:])
    bases = glob.glob(str(Path(*parts[:first]))) if first else ["."]  # noqa: PTH207
    return sorted(
        path
        for base in map(Path, bases)
        if base.is_dir()
        for path in scan_folder(base, wanted=lambda _path: True).files
        if inner.fullmatch(path.relative_to(base).as_posix())
    )


def _regex(parts: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern of relative paths: `**` as the last part stands for files, too."""
    text = "".join(r"(?:[^/]+/)*" if part == _ANY_DEPTH else _segment(part) + "/" for part in parts)
    return re.compile(
        text + "[^/]+" if parts[-1] == _ANY_DEPTH else text.removesuffix("/"), re.DOTALL
    )


def _segment(part: str) -> str:
    """Return the regular expression of one name: of *, ? and [...]."""
    found, at = "", 0
    while at < len(part):
        each = part[at]
        end = part.find("]", at + 2)
        if each == "*":
            found += "[^/]*"
        elif each == "?":
            found += "[^/]"
        elif each == "[" and end > 0:
            inner = part[at + 1 : end].replace("\\", r"\\")
            found += f"[^/{inner[1:]}]" if inner[0] == "!" else f"[{inner}]"
            at = end
        else:
            found += re.escape(each)
        at += 1
    return found
