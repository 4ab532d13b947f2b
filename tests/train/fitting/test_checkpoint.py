"""Checkpoints of a training, as they are read."""

import json
from pathlib import Path

import numpy as np
import pytest

from edgeclf.edge_runtime.errors import EdgeclfError


def test_a_checkpoint_is_read_by_its_own_training_alone(tmp_path: Path) -> None:
    from edgeclf.train.fitting.checkpoint import CHECKPOINT_NAME, Checkpoint
    from edgeclf.train.fitting.history import History

    rows = [{"phase": "head", "epoch": 1, "val_loss": 0.5}]
    state = {"key": {"seed": 0}, "phase": 1, "epochs": 3, "rows": rows, "seconds": 7.5}
    path = tmp_path / CHECKPOINT_NAME
    np.savez(path, state=np.array(json.dumps(state)), variable0=np.ones(2), best0=np.zeros(2))
    history = History(None, tmp_path)
    checkpoint = Checkpoint(tmp_path, key={"seed": 0}, history=history)
    checkpoint.read()
    assert (checkpoint.phase, history.rows, history.seconds_before) == (1, rows, 7.5)
    with pytest.raises(EdgeclfError, match="of a training with seed 0, now it is 1"):
        Checkpoint(tmp_path, key={"seed": 1}, history=history).read()
    np.savez(path, other=np.array(json.dumps(state)), variable0=np.ones(2), best0=np.zeros(2))
    with pytest.raises(EdgeclfError, match="no readable checkpoint"):
        checkpoint.read()


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"images": {"train": "1"}}, "of a training with other val images than now; bring those"),
        ({"images": {"val": "2"}, "seed": 1}, "of a training with seed 0, now it is 1; repeat"),
        ({"distill": {"weight": 1.0, "teacher_sha256": "b"}}, "other scores of the run that"),
        ({"distill": None}, "of a training with distill.weight 1.0, now it is None; repeat"),
        ({"start weights": "d"}, "of a training with other start weights than now"),
    ],
)
def test_what_differs_is_named_and_a_setting_before_its_consequences(
    changed: dict[str, object], expected: str
) -> None:
    from edgeclf.train.fitting.training_key import check_same

    key: dict[str, object] = {
        "seed": 0,
        "images": {"train": "1", "val": "1"},
        "distill": {"weight": 1.0, "teacher_sha256": "a"},
        "start weights": "c",
    }
    check_same(Path("checkpoint.npz"), key, dict(key))
    with pytest.raises(EdgeclfError, match=expected):
        check_same(Path("checkpoint.npz"), key, key | changed)
