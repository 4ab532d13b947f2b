"""What may compute a model instead of the CPU, as it is named on the command line."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

from ..errors import EdgeclfError

Kind = Literal["gpu", "npu", "delegate"]

MEND = "give auto, cpu, gpu, npu, or the path of a TFLite delegate's shared library"
_LIBRARY = re.compile(r"/|\.(so(\.\d+)*|dylib)$")


@dataclass(frozen=True)
class Accelerator:
    """What may compute a model instead of the CPU.

    Attributes:
        kind: `gpu` and `npu` are LiteRT's; `delegate` is a TFLite delegate of another maker.
        library: of a delegate: the absolute path of its shared library, or a name that the
            system's loader finds.
        options: of a delegate: keys and values.
    """

    kind: Kind
    library: str = ""
    options: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The kind, or the file name of the library."""
        return Path(self.library).name if self.kind == "delegate" else self.kind

    def to_json(self) -> str:
        """Return it as one line, for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Accelerator":
        """Return what `to_json` wrote."""
        values = json.loads(text)
        options = tuple((key, value) for key, value in values["options"])
        return cls(values["kind"], values["library"], options)


@dataclass(frozen=True)
class Acceleration:
    """What was asked to compute a model, and what does.

    Attributes:
        asked: `auto`, or the name of the accelerator.
        used: what computes it; None for the CPU.
        reason: why, on one line.
    """

    asked: str
    used: Accelerator | None
    reason: str

    @property
    def is_refused(self) -> bool:
        """Whether an accelerator was named and does not compute."""
        return self.used is None and self.asked != "auto"

    def __str__(self) -> str:
        if self.used is None:
            refused = "" if self.asked == "auto" else "refused, "
            return f"accelerator {self.asked}: {refused}{self.reason}; the CPU computes"
        name = "" if self.asked == self.used.name else f"{self.used.name}, "
        return f"accelerator {self.asked}: {name}{self.reason}"


def parse_accelerator(value: str) -> Accelerator:
    """Return the accelerator that `value` names: gpu, npu, or LIBRARY[;KEY:VALUE…].

    A library without a folder that is no file here is left to the system's loader.

    Raises:
        EdgeclfError: it names none, or a file that does not exist.
    """
    if value in {"gpu", "npu"}:
        return Accelerator(cast(Kind, value))
    library, *options = value.split(";")
    if not _LIBRARY.search(library):
        raise EdgeclfError(f"accelerator {value!r:.80}: {MEND}")
    pairs = [option.partition(":") for option in options]
    for key, colon, _ in pairs:
        if not key or not colon:
            raise EdgeclfError(
                f"accelerator {value!r:.200}: options of a delegate are LIBRARY;KEY:VALUE;…"
            )
    if "/" in library or Path(library).exists():
        if not Path(library).is_file():
            raise EdgeclfError(f"accelerator {library}: no such file; {MEND}")
        library = str(Path(library).absolute())
    return Accelerator("delegate", library, tuple((key, text) for key, _, text in pairs))
