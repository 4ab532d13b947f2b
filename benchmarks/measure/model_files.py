"""The models that a benchmark is asked to measure, as far as their files tell."""

from dataclasses import dataclass
from pathlib import Path

from ...edge_runtime.accelerator.accelerator import Accelerator
from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.files import sha256_of
from ...edge_runtime.model_file.container import read_model
from ...edge_runtime.preprocess import ResizeRule
from ...edge_runtime.tflite.interpreter import Runtime
from ...models.run import Run, read_run


@dataclass(frozen=True)
class ModelFile:
    """A model that can be read.

    Attributes:
        path: the .tflite file, or the run's folder for the float Keras model.
        recipe: how it was quantized; `keras` for the float Keras model.
        labels: class names in the order of the output.
        input_hw: input height and width in pixels.
        resize: how a photograph is brought to that size.
        sha256: of the file that holds the weights.
        bytes: size of that file.
        run: the run of the float Keras model; None for a file.
        runtime: what computes the file; None for the float Keras model.
        accelerator: what computes it instead of the CPU; None for the CPU.
        good: the class without a defect; None without one.
    """

    path: Path
    recipe: str
    labels: tuple[str, ...]
    input_hw: tuple[int, int]
    resize: ResizeRule
    sha256: str
    bytes: int
    run: Run | None
    runtime: Runtime | None
    good: str | None = None
    accelerator: Accelerator | None = None


def read_model_file(path: Path, *, runtime: Runtime = "interpreter") -> ModelFile:
    """Read what the .tflite file at `path`, or the run in that folder, says of itself.

    Args:
        path: the file or folder.
        runtime: what shall compute a file.
    """
    run = read_run(path) if path.is_dir() else None
    spec = run.info.spec("keras") if run else read_model(path)[1]
    weights = run.info.weights if run else path
    return ModelFile(
        path=path,
        recipe=spec.recipe,
        labels=spec.labels,
        input_hw=spec.input_hw,
        resize=spec.resize,
        sha256=sha256_of(weights),
        bytes=weights.stat().st_size,
        run=run,
        runtime=None if run else runtime,
        good=spec.good,
    )


def names_of(paths: tuple[Path, ...]) -> tuple[str, ...]:
    """Return what tables call the models: `keras` for a run, else the file's stem; the whole path
    where that would stand for several."""
    short = ["keras" if path.is_dir() else path.stem for path in paths]
    return tuple(
        name if short.count(name) == 1 else str(path)
        for name, path in zip(short, paths, strict=True)
    )


def check_alike(model_files: list[ModelFile]) -> None:
    """Complain of models that do not answer the same question."""
    first = model_files[0]
    for other in model_files[1:]:
        for what in ("labels", "input_hw", "resize"):
            if getattr(other, what) != getattr(first, what):
                raise EdgeclfError(
                    f"{other.path}: its {what} {getattr(other, what)} are not those of "
                    f"{first.path}, {getattr(first, what)}; compare models of one run, and a "
                    "taught file alone, with --data"
                )


def good_class(model_files: list[ModelFile]) -> str | None:
    """Return the class without a defect that the models name; None if none names one."""
    found = {one.good: one.path for one in model_files if one.good is not None}
    if len(found) > 1:
        (first, one), (second, other) = list(found.items())[:2]
        raise EdgeclfError(
            f"{other}: its good class is {second!r}, that of {one} is {first!r}; compare models of "
            "one run"
        )
    return next(iter(found), None)
