"""What a process does with a chunk: read, decode and classify its images, and write its part."""

import os
import platform
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ...edge_runtime.classifier import Classifier
from ...edge_runtime.tflite.interpreter import default_threads
from .inputs.items import Item
from .inputs.places import Place, open_place
from .inputs.reading import Decoded, Encoded, batches, decode_batch
from .output import OutputFolder
from .plan import Settings, read_chunk
from .rows import Part, make_row, write_part


@dataclass(frozen=True)
class Job:
    """What every process of a run must know.

    Attributes:
        model: the file.
        inputs: as the user gave them, absolute; their URLs may hold secrets, as may `out`.
        out: the output folder.
        settings: what decides the rows.
        threads: of an inference, and as many that decode; None for the usable cores, 4 at most.
        plan: SHA-256 of the plan; empty before there is one.
    """

    model: Path
    inputs: tuple[str, ...] = field(repr=False)
    out: str = field(repr=False)
    settings: Settings
    threads: int | None = None
    plan: str = ""


class ChunkClassifier:
    """One interpreter, threads that decode for it, and the chunks it classifies."""

    def __init__(self, job: Job, model: Path) -> None:
        """Load the model.

        Raises:
            EdgeclfError: it cannot be read.
        """
        self._job = job
        settings = job.settings
        threads = job.threads or default_threads()
        self._classifier = Classifier(
            model, threads=threads, novelty_threshold=settings.novelty_threshold
        )
        self._decoders = threads
        self._places: list[Place] = [open_place(where) for where in job.inputs]
        self._out = OutputFolder(job.out)

    def __call__(
        self, chunk: int, *, advance: Callable[[int], object] = lambda _images: None
    ) -> Part:
        """Classify the images of a chunk, write their rows as its part, and return what it holds.

        Args:
            chunk: its number in the plan.
            advance: called with the number of images each time that some are done.
        """
        start = time.perf_counter()
        items = read_chunk(self._out, chunk)
        rows = []
        for decoded in self._decoded(items):
            rows += [self._row(image) for image in decoded]
            advance(len(decoded))
        return write_part(
            self._out,
            chunk,
            rows,
            plan=self._job.plan,
            seconds=time.perf_counter() - start,
            node=platform.node() or f"process {os.getpid()}",
        )

    def _row(self, image: Decoded) -> dict[str, object]:
        settings, prediction = self._job.settings, None
        if image.model_input is not None:
            # Preprocessing leaves an image alone that has the model's size.
            prediction = self._classifier.classify(
                image.model_input, top=settings.top, threshold=settings.threshold
            )
        return make_row(image, prediction, model=settings.model, at=time.time())

    def _decoded(self, items: Sequence[Item]) -> Iterator[list[Decoded]]:
        """Yield the images in order, while the next few batches are read and decoded."""
        source = batches(items, self._places)
        waiting: deque[Future[list[Decoded]]] = deque()
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(self._decoders) as pool:

            def submit() -> None:
                batch: Future[list[Encoded]] = reader.submit(next, source, [])
                waiting.append(pool.submit(self._decode, batch))

            for _ in range(self._decoders + 2):
                submit()
            try:
                while decoded := waiting.popleft().result():
                    yield decoded
                    submit()
            finally:
                for each in waiting:
                    each.cancel()

    def _decode(self, batch: Future[list[Encoded]]) -> list[Decoded]:
        return decode_batch(batch.result(), self._classifier)
