"""What a check found."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        state: `ok`; `warning`, it works, but not as well as it could; `failed`, it does not work;
            `skipped`, this system does not tell, or does not have it.
        detail: what was found, in one line.
        mend: what to do about a warning or a failure; else empty.
    """

    name: str
    state: State
    detail: str
    mend: str = ""


def ok(name: str, detail: str) -> Check:
    """Return the check of something that is as it should be."""
    return Check(name, "ok", detail)


def skipped(name: str, detail: str = "this system does not tell") -> Check:
    """Return the check of something that could not be looked at."""
    return Check(name, "skipped", detail)
