"""What a class that is taught may be called: it becomes a label, and the name of a folder."""

from collections.abc import Sequence

from ..errors import EdgeclfError
from ..prediction import UNKNOWN
from ..text import alike, invisible_in

_MOST_BYTES = 100
_ODD = '/\\:*?"<>|='


def checked_class(name: str, labels: Sequence[str]) -> str:
    """Return the name of a class without space around it.

    Args:
        name: as somebody gives it.
        labels: the classes that there are.

    Raises:
        EdgeclfError: it is empty, `unknown`, no name of a folder, or hardly another than a label.
    """
    label = " ".join(name.split())
    if label in labels:
        return label
    if not label:
        raise EdgeclfError("an empty class name: give one such as dust")
    if alike(label) == UNKNOWN:
        raise EdgeclfError(f"class {label!r}: what is no class is called so; give another name")
    if len(label.encode(errors="replace")) > _MOST_BYTES:
        raise EdgeclfError(f"class {label[:20]!r}…: too long; give {_MOST_BYTES} bytes at most")
    odd = invisible_in(label) or next((sign for sign in label if sign in _ODD), None)
    if odd or label[0] in ".-" or label[-1] == ".":
        reason = f"holds {odd}" if odd else "begins with . or - or ends with ."
        raise EdgeclfError(f"class {label!r}: {reason}; give letters, digits, spaces, - _ or +")
    same = next((known for known in labels if alike(known) == alike(label)), None)
    if same is not None:
        raise EdgeclfError(f"class {label!r}: there is {same!r}; give that, or another name")
    return label
