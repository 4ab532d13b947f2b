"""What was chosen on the validation images of a run: its temperature and its thresholds."""

from dataclasses import asdict, dataclass
from pathlib import Path

from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.files import read_json, write_json
from ..edge_runtime.model_file.spec import check_thresholds
from .metrics.records import from_json

CALIBRATION_NAME = "calibration.json"


@dataclass(frozen=True)
class Calibration:
    """What a model's scores are brought to, and from where they are believed.

    Attributes:
        temperature: what the logits are divided by, above 0.
        images: validation images that it was fitted on.
        recall: what the thresholds shall reach of each class, 0 to 1; None without thresholds.
        thresholds: by label, the score from which a class is believed, 0 to 1; None for those of
            whoever runs the model.
    """

    temperature: float = 1.0
    images: int = 0
    recall: float | None = None
    thresholds: dict[str, float] | None = None


@dataclass(frozen=True)
class _File:
    """The fields of a `Calibration`, of which a file has all."""

    temperature: float
    images: int
    recall: float | None
    thresholds: dict[str, float] | None


def write_calibration(folder: Path, calibration: Calibration) -> None:
    """Write a run's `calibration.json`."""
    write_json(folder / CALIBRATION_NAME, asdict(calibration))


def read_calibration(folder: Path, labels: tuple[str, ...]) -> Calibration:
    """Read a run's `calibration.json`; a run without one has its scores as they are."""
    path = folder / CALIBRATION_NAME
    if not path.exists():
        return Calibration()
    mend = "`edgeclf evaluate` again"
    found = from_json(_File, read_json(path), where=str(path), mend=f"damaged, {mend}")
    calibration = Calibration(**vars(found))
    if calibration.temperature <= 0:
        raise EdgeclfError(
            f"{path}: a temperature of {calibration.temperature:g}, which is not above 0; {mend}"
        )
    try:
        check_thresholds(calibration.thresholds or {}, labels)
    except EdgeclfError as error:
        raise EdgeclfError(f"{path}: {error}; {mend}") from None
    return calibration
