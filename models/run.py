"""A run: the folder that a training leaves, read back."""

import csv
import io
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from .. import __version__
from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.files import read_json, read_labels, sha256_of, write_bytes, write_json
from ..edge_runtime.model_file.spec import check_good
from ..edge_runtime.preprocess import RESIZE_RULES
from ..edge_runtime.text import csv_cell, csv_text
from .data.augment import AugmentConfig
from .data.class_folders import SPLITS
from .float_model import FloatModelInfo
from .metrics.records import from_json
from .metrics.registry import BRIEF_METRICS
from .score_calibration import CALIBRATION_NAME, read_calibration

MODEL_NAME = "model.keras"
LABELS_NAME = "labels.txt"
SPLIT_NAME = "split.csv"
CONFIG_NAME = "config.json"
METRICS_NAME = "metrics.json"
_LARGEST_SIDE = 8192  # pixels of an input
_SIDES = f"sides of 1 to {_LARGEST_SIDE} pixels"
# What makes a run.
RUN_NAMES = (MODEL_NAME, LABELS_NAME, SPLIT_NAME, CONFIG_NAME, METRICS_NAME, CALIBRATION_NAME)


@dataclass(frozen=True)
class SplitImage:
    """One line of `split.csv`.

    Attributes:
        path: the image, relative to the data folder, with forward slashes.
        label: its class.
        group: what it must not be parted from; empty if it stands alone.
        split: `train`, `val` or `test`.
    """

    path: str
    label: str
    group: str
    split: str


@dataclass(frozen=True)
class Run:
    """A training's folder, read back.

    Attributes:
        folder: where it lies.
        data: the data folder it was trained on.
        info: the float model.
        images: every image that was used, with its split.
        seed: of the training.
        batch_size: of the training.
        augment: how training images were changed.
    """

    folder: Path
    data: Path
    info: FloatModelInfo
    images: tuple[SplitImage, ...]
    seed: int
    batch_size: int
    augment: AugmentConfig

    def split(self, name: str) -> tuple[SplitImage, ...]:
        """Return the images of the split `train`, `val` or `test`."""
        return tuple(image for image in self.images if image.split == name)

    def provenance(self) -> dict[str, Any]:
        """Return what tells this training from others, as a JSON object without times."""
        metrics = self.folder / METRICS_NAME
        try:
            figures = read_json(metrics)["test"] if metrics.exists() else {}
            test = {name: figures.get(name) for name in (metric.name for metric in BRIEF_METRICS)}
        except (KeyError, TypeError, AttributeError) as error:
            raise EdgeclfError(
                f"{metrics}: damaged ({error!r}); remove it, or train again"
            ) from None
        return {
            "split_sha256": sha256_of(self.folder / SPLIT_NAME),
            "seed": self.seed,
            "images": dict(sorted(Counter(image.split for image in self.images).items())),
            "test": test,
            "temperature": round(self.info.calibration.temperature, 6),
        }


@dataclass(frozen=True)
class _Config:
    """What is read of a run's `config.json`; the rest of it is for people."""

    data: str
    architecture: str
    input_hw: tuple[int, ...]
    resize: str
    batch_size: int
    seed: int
    augment: AugmentConfig
    good: str | None = None
    channels: dict[str, int] | None = None


def read_run(folder: Path) -> Run:
    """Read the run in `folder`.

    Raises:
        EdgeclfError: something that a finished training leaves is missing or damaged.
    """
    for name in (MODEL_NAME, CONFIG_NAME, LABELS_NAME, SPLIT_NAME):
        if not (folder / name).is_file():
            raise EdgeclfError(
                f"{folder}: no run: it holds no {name}; give the --out folder of `edgeclf train`"
            )
    path = folder / CONFIG_NAME
    mend = "damaged or of another version, train again"
    config = from_json(_Config, read_json(path), where=str(path), mend=mend)
    for fits, place, expected in (
        (config.resize in RESIZE_RULES, "resize", f"one of {', '.join(RESIZE_RULES)}"),
        (len(config.input_hw) == 2, "input_hw", "a height and a width"),
        (all(1 <= side <= _LARGEST_SIDE for side in config.input_hw), "input_hw", _SIDES),
        (config.batch_size > 0, "batch_size", "1 or more"),
        (0 <= config.seed < 2**32, "seed", "0 to 4294967295"),
    ):
        if not fits:
            raise EdgeclfError(f"{path}.{place}: expected {expected}; {mend}")
    labels = read_labels(folder / LABELS_NAME)
    try:
        check_good(config.good, labels)
    except EdgeclfError as error:
        raise EdgeclfError(f"{path}: {error}") from None
    info = FloatModelInfo(
        architecture=config.architecture,
        labels=labels,
        input_hw=(config.input_hw[0], config.input_hw[1]),
        resize=RESIZE_RULES[RESIZE_RULES.index(config.resize)],
        weights=folder / MODEL_NAME,
        calibration=read_calibration(folder, labels),
        good=config.good,
        channels=config.channels or {},
    )
    return Run(
        folder=folder,
        data=Path(config.data),
        info=info,
        images=_read_split(folder, labels),
        seed=config.seed,
        batch_size=config.batch_size,
        augment=config.augment,
    )


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write a run's `config.json`."""
    write_json(folder / CONFIG_NAME, {"edgeclf_version": __version__} | config)


def write_good(folder: Path, good: str) -> None:
    """Name the good class in a run's `config.json`."""
    path = folder / CONFIG_NAME
    write_json(path, read_json(path) | {"good": good})


def write_split(folder: Path, images: tuple[SplitImage, ...]) -> None:
    """Write a run's `split.csv`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ["path", "label", "group", "split"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: csv_cell(value) for name, value in asdict(image).items()} for image in images
    )
    # A file may have any bytes for a name; they come back as they were.
    write_bytes(folder / SPLIT_NAME, text.getvalue().encode(errors="surrogateescape"))


def _read_split(folder: Path, labels: tuple[str, ...]) -> tuple[SplitImage, ...]:
    path = folder / SPLIT_NAME
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            images = tuple(
                SplitImage(**{name: csv_text(cell) for name, cell in row.items()})
                for row in csv.DictReader(file, restval="")
            )
    except (OSError, TypeError, AttributeError, csv.Error) as error:
        raise EdgeclfError(f"{path}: cannot be read ({error}); train again") from None
    for line, image in enumerate(images, start=2):
        if image.split not in SPLITS:
            raise EdgeclfError(
                f"{path}: line {line}: expected a split of {', '.join(SPLITS)}, got "
                f"{image.split!r}; cut short or edited: restore it, or train again"
            )
        inside = PurePosixPath(image.path)
        if inside.is_absolute() or ".." in inside.parts or "\0" in image.path or not inside.name:
            raise EdgeclfError(
                f"{path}: line {line}: {image.path!r} leaves the data folder; give paths below it, "
                "or train again"
            )
        if image.label not in labels:
            raise EdgeclfError(
                f"{path}: line {line}: class {image.label!r} is none of the {len(labels)} in "
                f"{LABELS_NAME}; restore the two files, or train again"
            )
    missing = [split for split in SPLITS if split not in {image.split for image in images}]
    if missing:
        raise EdgeclfError(f"{path}: cut short: it names no {missing[0]} image; train again")
    return images
