"""`--precision`: steps in bfloat16, where the processor computes them."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from edgeclf.train.fitting import precision
from edgeclf.train.fitting.precision import computing_in


def test_a_processor_without_it_is_one_line(
    train_tiny, surfaces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text("flags : fpu avx2 avx512f\n")
    for missing in ("cpuinfo", "none"):
        monkeypatch.setattr(precision, "_CPU_INFO", tmp_path / missing)
        result = train_tiny(surfaces, tmp_path / "run", "--precision", "bfloat16", code=1)
        assert "neither of avx512_bf16, amx_bf16" in result.output.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_a_training_in_bfloat16_leaves_a_float32_model(
    cli, surfaces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where the processor lacks it, TensorFlow goes on in float32.
    (tmp_path / "cpuinfo").write_text("flags : fpu avx512_bf16\n")
    monkeypatch.setattr(precision, "_CPU_INFO", tmp_path / "cpuinfo")
    options = ("--arch", "densenet-tiny", "--weights", "none", "--epochs", 1)
    cli("train", surfaces, "--out", tmp_path / "run", *options, "--precision", "bfloat16")
    model = keras.models.load_model(tmp_path / "run" / "model.keras", compile=False)
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert json.loads((tmp_path / "run" / "config.json").read_text())["precision"] == "bfloat16"


def test_only_what_is_traced_meanwhile_is_narrow() -> None:
    left, right = np.random.default_rng(0).normal(size=(2, 64, 64)).astype(np.float32)
    truth = left.astype(np.float64) @ right

    def error() -> float:
        made = tf.function(lambda a, b: tf.nn.relu(tf.matmul(a, b)))(left, right)
        return float(np.abs(made - np.maximum(truth, 0)).max())

    def is_narrow() -> bool:
        return tf.config.optimizer.get_experimental_options().get(precision._OPTION, False)

    with computing_in("float32"):
        assert not is_narrow()
    with computing_in("bfloat16"):
        assert is_narrow()
        assert error() < 1
    assert not is_narrow()
    assert error() < 1e-4
