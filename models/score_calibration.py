"""What was chosen on the validation images of a run: its temperature and its thresholds."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.files import read_json, write_json
from ..edge_runtime.model_file.spec import check_thresholds

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


def write_calibration(folder: Path, calibration: Calibration) -> None:
    """Write a run's `calibration.json`."""
    write_json(folder / CALIBRATION_NAME, asdict(calibration))


def read_calibration(folder: Path, labels: tuple[str, ...]) -> Calibration:
    """Read a run's `calibration.json`; a run without one has its scores as they are."""
    path = folder / CALIBRATION_NAME
    if not path.exists():
        return Calibration()
    values: Any = read_json(path)
    try:
        thresholds = values["thresholds"]
        calibration = Calibration(
            temperature=float(values["temperature"]),
            images=int(values["images"]),
            recall=None if values["recall"] is None else float(values["recall"]),
            thresholds=None
            if thresholds is None
            else {str(label): float(value) for label, value in thresholds.items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EdgeclfError(f"{path}: damaged ({error!r}); `edgeclf evaluate` again") from None
    if not 0 < calibration.temperature < math.inf:
        raise EdgeclfError(
            f"{path}: a temperature of {calibration.temperature:g}, which is not above 0; "
            "`edgeclf evaluate` again"
        )
    try:
        check_thresholds(calibration.thresholds or {}, labels)
    except EdgeclfError as error:
        raise EdgeclfError(f"{path}: {error}; `edgeclf evaluate` again") from None
    return calibration
