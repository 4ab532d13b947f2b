"""What a taught class may be called."""

import pytest

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.teach.class_names import checked_class

LABELS = ("good", "oil")


@pytest.mark.parametrize(
    ("name", "label"),
    [("dust", "dust"), ("  two  words ", "two words"), ("oil", "oil"), ("élan-2_b+", "élan-2_b+")],
)
def test_names(name: str, label: str) -> None:
    assert checked_class(name, LABELS) == label


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "an empty class name: give one such as dust"),
        ("  ", "an empty class name: give one such as dust"),
        ("unknown", "class 'unknown': what is no class is called so; give another name"),
        ("Unknown", "class 'Unknown': what is no class is called so; give another name"),
        ("a/b", "class 'a/b': holds /; give letters, digits, spaces, - _ or +"),
        ("a\x07b", "class 'a\\x07b': holds \\x07; give letters, digits, spaces, - _ or +"),
        ("a\u202eb", "class 'a\\u202eb': holds \\u202e; give letters, digits, spaces, - _ or +"),
        ("..", "class '..': begins with . or - or ends with .; give letters, digits, spaces, - _"),
        ("-x", "class '-x': begins with . or - or ends with .; give letters, digits, spaces, - _"),
        ("Oil", "class 'Oil': there is 'oil'; give that, or another name"),
        ("x" * 101, "class 'xxxxxxxxxxxxxxxxxxxx'…: too long; give 100 bytes at most"),
    ],
)
def test_what_is_no_name(name: str, reason: str) -> None:
    with pytest.raises(EdgeclfError) as caught:
        checked_class(name, LABELS)
    assert str(caught.value).startswith(reason)
    assert "\n" not in str(caught.value)
