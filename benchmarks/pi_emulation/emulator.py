"""Programs of an emulated system, run as a board runs them."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from .boards import Board
from .processes import run_quietly
from .system import PYTHON

_LIBRARIES = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu")


@dataclass(frozen=True)
class Ran:
    """A program that ended well.

    Attributes:
        stdout: what it printed.
        instructions: executed since the start of the process, at each mark and at the exit.
    """

    stdout: str
    instructions: tuple[int, ...]


@dataclass(frozen=True)
class Emulator:
    """The emulated system with edgeclf installed.

    Attributes:
        system: the folder that `make_system` made.
        edgeclf: the folder into which the wheel was installed.
        runtime: a folder with another TFLite runtime, which is used instead of the system's.
    """

    system: Path
    edgeclf: Path
    runtime: Path | None = None

    def python(self, board: Board, *arguments: str | Path) -> Ran:
        """Run the guest's Python as `board` with these arguments, and count its instructions.

        Its environment is empty but for what makes counts repeatable, so nothing of this machine's
        gets in.

        Raises:
            FailedError: the program's exit code was not 0.
        """
        folders = [self.edgeclf, *([self.runtime] if self.runtime else []), self.system / "site"]
        guest = {
            "PYTHONPATH": ":".join(map(str, folders)),
            "PYTHONNOUSERSITE": "1",
            "PYTHONSAFEPATH": "1",
            "PYTHONHASHSEED": "0",
            "OPENBLAS_NUM_THREADS": "1",
            "PATH": "/usr/bin:/bin",
        }
        with tempfile.TemporaryDirectory(prefix="edgeclf-count-") as folder:
            counts = Path(folder) / "counts"
            python = self.system / "root/usr/bin" / f"python{PYTHON}"
            command = [*self._qemu(board, counts), python, *arguments]
            what = f"{board.title}: python {' '.join(Path(word).name for word in arguments)}"
            stdout = run_quietly(what, command, env=guest)
            return Ran(stdout, tuple(map(int, counts.read_text().split())))

    def _qemu(self, board: Board, counts: Path) -> list[str | Path]:
        """Return the command of QEMU as that board, on the libraries that came with it."""
        qemu = self.system / "qemu"
        return [
            qemu / "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
            *("--library-path", ":".join(str(qemu / name) for name in _LIBRARIES)),
            qemu / "usr/bin" / board.guest.qemu,
            *("-cpu", board.cpu),
            *("-L", self.system / "boards" / board.name),
            *("-plugin", f"{self.system / 'count.so'},out={counts}"),
        ]
