"""Chunks on a Ray cluster through Ray Data: each is classified and written by one of its actors."""

import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ... import __version__
from ...edge_runtime.errors import EdgeclfError
from .chunk import ChunkClassifier, Job
from .output import OutputFolder, part_name
from .rows import Part, read_part

LOCAL = "local"
# What travels are numbers of chunks, what their parts hold, and the model.
_OBJECT_STORE_BYTES = 256 << 20
_BLOCK_BYTES = 1 << 20
_MOST_BLOCKS = 2000  # of the list of chunks: each costs Ray some memory
_MOST_THREADS = 4  # of an actor, as of an inference elsewhere


def ray_runner(
    job: Job, images: Sequence[int], *, address: str
) -> Callable[[Sequence[int], Callable[[int], object]], Iterator[tuple[int, Part]]]:
    """Connect to a cluster, and return what classifies chunks there.

    Args:
        job: what is to be done; every node reaches its inputs and its output by the same names.
        images: rows of each chunk.
        address: of the cluster, or `local` for a new one on this machine.

    Raises:
        EdgeclfError: it cannot be started or reached.
    """
    # Before Ray is imported. A cluster that runs already has its own setting.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # What Ray says of itself would stand in the progress bar.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray
    import ray.data

    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    options = {"object_store_memory": _OBJECT_STORE_BYTES, "include_dashboard": False}
    try:
        ray.init(
            address,
            log_to_driver=False,
            logging_level="ERROR",
            **(options if address == LOCAL else {}),
        )
    except Exception as error:  # noqa: BLE001, Ray raises this very class, too
        reason = " ".join(str(error).split())
        raise EdgeclfError(
            f"--ray {address}: Ray cannot be started or reached ({reason:.160}); give HOST:PORT of "
            "its head (with RAY_AUTH_MODE=token if it asks for a token), auto for the cluster of "
            "this machine, or nothing for a new one"
        ) from None

    def run(chunks: Sequence[int], advance: Callable[[int], object]) -> Iterator[tuple[int, Part]]:
        try:
            for row in _dataset(ray, job, images, chunks).iter_rows():
                if row["error"]:
                    raise EdgeclfError(row["error"])
                part = Part(**json.loads(row["part"]))
                advance(part.rows)
                yield row["chunk"], part
        finally:
            ray.shutdown()

    return run


def _dataset(ray: Any, job: Job, images: Sequence[int], chunks: Sequence[int]) -> Any:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.target_max_block_size = _BLOCK_BYTES  # else Ray waits for room for far larger ones
    cores = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    threads = job.threads or min(_MOST_THREADS, min(filter(None, cores), default=1))
    actors = max(1, min(sum(each // threads for each in cores), len(chunks)))
    model = ray.put(job.model.read_bytes())
    rows = [{"chunk": chunk, "images": images[chunk]} for chunk in chunks]
    dataset = ray.data.from_items(rows, override_num_blocks=min(len(rows), _MOST_BLOCKS))
    return dataset.map_batches(
        _ChunkActor,
        fn_constructor_args=(replace(job, threads=threads), [model], __version__),
        batch_size=1,
        num_cpus=threads,
        compute=ray.data.ActorPoolStrategy(size=actors),
    )


class _ChunkActor:
    """A process of the cluster, with one interpreter."""

    def __init__(self, job: Job, model: Sequence[Any], version: str) -> None:
        self._job, self._model, self._version = job, model, version
        self._classify: ChunkClassifier | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Return what was done with a chunk, or the line that ends the run."""
        chunk, images = int(batch["chunk"][0]), int(batch["images"][0])
        part, error = "", ""
        try:
            part = json.dumps(asdict(self._part(chunk, images)))
        except EdgeclfError as failure:
            error = str(failure)
        return {"chunk": [chunk], "part": [part], "error": [error]}

    def _part(self, chunk: int, images: int) -> Part:
        if self._classify is None:
            if self._version != __version__:
                raise EdgeclfError(
                    f"a node has edgeclf {__version__}, and the driver {self._version}; install "
                    "the same on all"
                )
            self._classify = self._load()
        out = OutputFolder(self._job.out)
        if out.holds(part_name(chunk)):  # of an actor that was lost just after
            return read_part(out, chunk, plan=self._job.plan, images=images)
        return self._classify(chunk)

    def _load(self) -> ChunkClassifier:
        import ray

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, self._job.model.name)
            path.write_bytes(ray.get(self._model[0]))
            return ChunkClassifier(self._job, path)
