"""Where, on which images and how a benchmark was measured."""

from dataclasses import dataclass

from ...edge_runtime.machine import MachineState


@dataclass(frozen=True)
class Machine:
    """Where it was measured.

    Attributes:
        board: model of the board, as `Raspberry Pi 5 Model B Rev 1.0`; None where nobody says.
        cpu: name of the processor; None where nobody says.
        architecture: as `aarch64`.
        cores: how many this process may use.
        memory_bytes: of the machine; None where nobody says.
        system: name and version of the operating system.
        versions: of Python, edgeclf, the runtime and the libraries.
        background_load: how many cores other processes kept busy meanwhile, on average; None where
            nobody says.
        before: at the start.
        after: at the end.
    """

    board: str | None
    cpu: str | None
    architecture: str
    cores: int
    memory_bytes: int | None
    system: str
    versions: dict[str, str]
    background_load: float | None
    before: MachineState
    after: MachineState

    @property
    def busy(self) -> bool:
        """Whether other processes kept over a fifth of a core busy: latencies hold their work."""
        return (self.background_load or 0) > 0.2


@dataclass(frozen=True)
class DataSet:
    """The images.

    Attributes:
        folder: where they lie.
        digest: SHA-256 over the bytes and the class of each image, in order.
        images: how many could be read.
        labels: class names in the order of the models' output.
        truth: index of the class of each image.
        good: the class without a defect; None without one, and in files older than it.
    """

    folder: str
    digest: str
    images: int
    labels: tuple[str, ...]
    truth: tuple[int, ...]
    good: str | None = None


@dataclass(frozen=True)
class Settings:
    """How it was measured.

    Attributes:
        queries: at least so many were timed, per model and number of threads.
        rounds: processes that each model was started in, one after the other.
        min_seconds: at least so long was timed, per model and number of threads.
        threads: numbers of threads of an inference.
        seed: of the order of models and images.
        sustained_minutes: of continuous work, per model; 0 if none.
    """

    queries: int
    rounds: int
    min_seconds: float
    threads: tuple[int, ...]
    seed: int
    sustained_minutes: float
