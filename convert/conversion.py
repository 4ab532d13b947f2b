"""A conversion from the float model to verified files."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..edge_runtime.classifier import Classifier
from ..edge_runtime.container import write_model
from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.files import sha256_of, write_json
from ..edge_runtime.scoring import agreement, score_predictions
from ..edge_runtime.self_test import make_self_test
from ..models.photographs import Photographs, load_photographs
from ..models.run import FloatModel, FloatModelInfo
from .calibrate import channel_ranges, choose_balanced, pin_input_range
from .emit import emit_rounded, emit_tflite
from .equalize import concat_parts, equalize_concats
from .gate import Limits
from .graph import Graph
from .qat import QatPlan, Trained, train_rounded
from .ranges import calibrate_ranges
from .read_keras import read_keras
from .recipes import Recipe
from .rewrite import deploy_graph
from .rounded import build_rounded
from .verify import ScoringSet, Verdict, file_scores, recommend, verify

REPORT_NAME = "conversion.json"
CHECKPOINT_NAME = "int8-qat.checkpoint.npz"


def convert_model(
    info: FloatModelInfo,
    recipes: Sequence[Recipe],
    *,
    out: Path,
    calibration: Photographs | None,
    scoring: Photographs | None,
    calibration_count: int,
    seed: int,
    qat: QatPlan | None,
    limits: Limits,
    provenance: dict[str, Any],
) -> list[Verdict]:
    """Write a .tflite file per recipe and `conversion.json` to `out`; return what was measured.

    Args:
        info: the float model.
        recipes: in the order in which they are made.
        out: the folder to write to.
        calibration: photographs to choose from for recipes that calibrate.
        scoring: photographs to score every file on, if there are any.
        calibration_count: how many photographs calibrate.
        seed: of their choice.
        qat: what recipes that train are trained on.
        limits: what a file may lose against the float model on the scoring photographs.
        provenance: what is known of the training, for the files to tell; a JSON object.
    """
    float_model = FloatModel(info)
    read = read_keras(float_model.keras_model)
    if read.foreign:
        click.echo(f"Warning: left as they are: {', '.join(read.foreign)}", err=True)
    graph = deploy_graph(read)
    origin = {"weights_sha256": sha256_of(info.weights)} | provenance
    scoring_set = _scoring_set(float_model, scoring)
    verdicts: list[Verdict] = []
    integer: tuple[Graph, NDArray[np.uint8]] | None = None
    training: dict[str, Any] | None = None
    for recipe in recipes:
        if recipe.calibrates:
            if calibration is None:
                raise EdgeclfError(
                    f"recipe {recipe.name} needs images to calibrate on; add --calibration FOLDER"
                )
            if integer is None:
                integer = _prepare_integer(graph, info, calibration, calibration_count, seed)
            recipe_graph, inputs = integer
        else:
            recipe_graph, inputs = graph, None
        click.echo(f"Converting {recipe.name}: {recipe.summary}")
        path = out / f"{recipe.name}.tflite"
        trained = None
        if recipe.trains:
            assert inputs is not None
            trained = _fine_tune(recipe, recipe_graph, inputs, info, qat, out / CHECKPOINT_NAME)
            flatbuffer = emit_rounded(build_rounded(trained.graph, trained.ranges, weights=False))
        else:
            flatbuffer = emit_tflite(recipe_graph, recipe, calibration=inputs)
        spec = replace(
            info.spec(recipe.name), self_test=make_self_test(flatbuffer), provenance=origin
        )
        write_model(path, flatbuffer, spec)
        if trained is not None:
            training = _training_report(trained, path, scoring_set)
            (out / CHECKPOINT_NAME).unlink(missing_ok=True)
        verdicts.append(verify(path, scoring_set, limits=limits))
        # After each recipe: what an interrupt leaves is described.
        calibrated = 0 if integer is None else len(integer[1])
        _write_report(out, info, scoring_set, verdicts, calibrated, seed, limits, training)
    return verdicts


def _prepare_integer(
    graph: Graph, info: FloatModelInfo, calibration: Photographs, count: int, seed: int
) -> tuple[Graph, NDArray[np.uint8]]:
    paths = choose_balanced(calibration.paths, calibration.labels, count=count, seed=seed)
    chosen = Photographs(tuple(paths), ("",) * len(paths))
    pixels, _ = load_photographs(chosen, size_hw=info.input_hw, rule=info.resize)
    inputs = pin_input_range(pixels)
    click.echo(f"Calibrating on {len(inputs)} images")
    ranges = channel_ranges(graph, concat_parts(graph), inputs)
    equalized, skipped = equalize_concats(graph, ranges)
    if skipped:
        click.echo(
            f"Warning: {len(skipped)} concatenated tensors cannot be equalised, among them "
            f"{', '.join(skipped[:3])}",
            err=True,
        )
    return equalized, inputs


def _fine_tune(
    recipe: Recipe,
    graph: Graph,
    inputs: NDArray[np.uint8],
    info: FloatModelInfo,
    qat: QatPlan | None,
    checkpoint: Path,
) -> Trained:
    if qat is None:
        raise EdgeclfError(
            f"recipe {recipe.name} trains on the images of a run; give RUN instead of --weights"
        )
    train, val = (
        load_photographs(part, size_hw=info.input_hw, rule=info.resize)[0]
        for part in (qat.train, qat.val)
    )
    ranges = calibrate_ranges(graph, inputs)
    return train_rounded(
        graph, ranges, train=train, val=val, config=qat.config, checkpoint=checkpoint
    )


def _training_report(trained: Trained, path: Path, scoring: ScoringSet | None) -> dict[str, Any]:
    """Return what was measured of a training, and whether the file says what Keras says."""
    same = None
    if scoring is not None:
        keras = trained.scores(scoring.inputs).argmax(1)
        same = agreement(keras, file_scores(Classifier(path), scoring.inputs).argmax(1))
        click.echo(f"{path.name} and the network that was trained agree on {same:.3f}")
    return {"epochs": [asdict(epoch) for epoch in trained.history], "keras_agreement": same}


def _scoring_set(model: FloatModel, scoring: Photographs | None) -> ScoringSet | None:
    if scoring is None:
        return None
    info = model.info
    inputs, labels = load_photographs(scoring, size_hw=info.input_hw, rule=info.resize)
    truth = np.asarray([info.labels.index(label) for label in labels])
    return ScoringSet(inputs, truth, model.scores(inputs))


def _write_report(
    out: Path,
    info: FloatModelInfo,
    scoring: ScoringSet | None,
    verdicts: list[Verdict],
    calibrated: int,
    seed: int,
    limits: Limits,
    training: dict[str, Any] | None,
) -> None:
    reference = None
    recommended = recommend(verdicts)
    if scoring is not None:
        guess = scoring.reference.argmax(1)
        scores = score_predictions(scoring.truth, guess, labels=info.labels)
        reference = scores.to_json()
    write_json(
        out / REPORT_NAME,
        {
            "edgeclf_version": __version__,
            "architecture": info.architecture,
            "weights": info.weights.name,
            "calibration": {"images": calibrated, "seed": seed},
            "limits": None if scoring is None else asdict(limits),
            "qat": training,
            "recommended": None if recommended is None else asdict(recommended),
            "reference": reference,
            "models": [verdict.to_json() for verdict in verdicts],
        },
    )
