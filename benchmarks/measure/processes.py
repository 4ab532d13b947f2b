"""Processes that hold a model each, seen from the benchmark that asks them."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.accelerator.accelerator import Accelerator
from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.tflite.interpreter import Runtime
from .messages import Message, array_of, receive, send

_STAGES = 4
_SECONDS_TO_END = 5

Running = TypeVar("Running", bound="Process")


class WorkerError(EdgeclfError):
    """A model that cannot go on; the others can."""


class Process:
    """A process that answers messages. Use as a context manager, which ends it."""

    def __init__(
        self, command: Sequence[str | Path], *, name: str, env: Mapping[str, str] | None = None
    ) -> None:
        """Start `command`; `name` stands in the errors.

        Raises:
            WorkerError: there is no such program.
        """
        self._name = name
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115, closed with the process
        try:
            # A session of its own: Ctrl-C comes to us alone, and we end the process.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=env,
                start_new_session=True,
            )
        except OSError as error:
            self._stderr.close()
            raise WorkerError(f"{name}: cannot be started ({error})") from None

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def ask(self, message: Message, payload: bytes = b"") -> tuple[Message, bytes]:
        """Send a message and return the answer.

        Raises:
            WorkerError: the answer is an error, or the process has ended.
        """
        assert self._process.stdin
        try:
            send(self._process.stdin, message, payload)
        except BrokenPipeError:
            raise self._end() from None
        return self.answer()

    def answer(self) -> tuple[Message, bytes]:
        """Return the next message of the process, and raise as `ask` does."""
        assert self._process.stdout
        received = receive(self._process.stdout)
        if received is None:
            raise self._end()
        if "error" in received[0]:
            raise WorkerError(received[0]["error"])
        return received

    def __enter__(self: Running) -> Running:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            try:
                if stream:
                    stream.close()
            except BrokenPipeError:  # what was still to be written to it
                pass

    def _end(self) -> WorkerError:
        """Return why the process has ended."""
        code = self._process.wait()
        if code < 0:
            name = signal.Signals(-code).name
            hint = "; is the memory full?" if name == "SIGKILL" else ""
            return WorkerError(f"{self._name}: its process was ended by {name}{hint}")
        self._stderr.seek(0)
        said = self._stderr.read().decode(errors="replace").strip().splitlines()
        last = said[-1].strip() if said else "no message"
        return WorkerError(f"{self._name}: its process ended with {code} ({last})")


class Worker(Process):
    """A model in a process of its own."""

    def __init__(
        self,
        path: Path,
        *,
        threads: int,
        runtime: Runtime | None,
        accelerator: Accelerator | None = None,
    ) -> None:
        """Start the process, which imports its libraries meanwhile."""
        module = "edgeclf.benchmarks.measure.worker"
        options = [str(threads), runtime or "interpreter"]
        options += [] if accelerator is None else [accelerator.to_json()]
        super().__init__([sys.executable, "-m", module, path, *options], name=str(path))

    def wait_until_ready(self) -> None:
        """Wait until the libraries are imported."""
        self.answer()

    def open(self, image: Path) -> Message:
        """Load the model and classify a first image; return delegate, load_ms and first_ms."""
        return self.ask({"do": "open", "image": str(image)})[0]

    def query(self, images: list[Path]) -> NDArray[np.float64]:
        """Return milliseconds of shape (images, 4): decode, preprocess, invoke, postprocess."""
        payload = self.ask({"do": "query", "images": [str(image) for image in images]})[1]
        return array_of(payload, dtype="f8", columns=_STAGES)

    def score(
        self, inputs: NDArray[np.uint8], *, classes: int
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
        """Return scores (images, classes) of RGB uint8 (images, height, width, 3), and which are
        called unknown, of shape (images,); None from a model that judges no novelty."""
        answer, payload = self.ask({"do": "score", "shape": inputs.shape}, inputs.tobytes())
        scores: NDArray[np.float32] = array_of(payload, dtype="f4", columns=classes)
        if answer["unknown"] is None:
            return scores, None
        return scores, np.isin(np.arange(len(inputs)), answer["unknown"])

    def memory(self) -> Message:
        """Return peak_memory_bytes and steady_memory_bytes of the process."""
        return self.ask({"do": "memory"})[0]
