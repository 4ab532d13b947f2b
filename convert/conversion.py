"""A conversion from the float model to verified files."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from .. import __version__
from ..edge_runtime.classifier import Classifier
from ..edge_runtime.command_line.warning import echo_warning
from ..edge_runtime.errors import EdgeclfError, ScoresError
from ..edge_runtime.files import json_text, sha256_of, whole_file
from ..edge_runtime.heatmap import HeatmapHead
from ..edge_runtime.model_file.container import model_bytes
from ..edge_runtime.model_file.self_test import make_self_test
from ..models.float_model import FloatModel, FloatModelInfo
from ..models.metrics.scoring import agreement, score_predictions
from ..models.photographs import Photographs, load_photographs
from .graph.batch_norm import deploy_graph
from .graph.heatmap import find_tail
from .graph.nodes import Graph
from .graph.patch_limits import limit_anomaly
from .graph.read_keras import read_keras
from .novelty import NoveltyImages
from .preparation import CalibrationPlan, Preparation
from .quantize.emit import emit_tflite
from .quantize.qat import QatPlan, Trained, train_fake_quant
from .quantize.ranges import TensorRange
from .recipes import Recipe
from .verify.gate import Limits
from .verify.verify import ConversionResult, ScoringSet, file_scores, recommend, verify

REPORT_NAME = "conversion.json"
CHECKPOINT_NAME = "int8-qat.checkpoint.npz"


def run_conversion(
    info: FloatModelInfo,
    recipes: Sequence[Recipe],
    *,
    out: Path,
    calibration: CalibrationPlan,
    scoring: Photographs | None,
    qat: QatPlan | None,
    limits: Limits,
    heatmap: bool,
    features: bool,
    read_novelty_images: Callable[[], NoveltyImages | None] | None,
    provenance: dict[str, Any],
) -> list[ConversionResult]:
    """Write a .tflite file per recipe and `conversion.json` to `out`; return what was measured.

    Args:
        info: the float model.
        recipes: in the order in which they are made.
        out: the folder to write to.
        calibration: on what recipes calibrate, and what is done to the network for them.
        scoring: photographs to score every file on, if there are any.
        qat: what recipes that train are trained on.
        limits: what a file may lose against the float model on the scoring photographs.
        heatmap: whether the files give the last feature map too, for heatmaps.
        features: whether they give its mean otherwise.
        read_novelty_images: reads what their novelty models are fitted on; None for files without.
        provenance: what is known of the training, for the files to tell; a JSON object.
    """
    _check_images(recipes, calibration.photographs, qat)
    float_model = FloatModel(info)
    read = read_keras(float_model.keras_model)
    if read.unknown_layers:
        echo_warning(f"left as they are: {', '.join(read.unknown_layers)}")
    graph = limit_anomaly(deploy_graph(read))
    _check_finite(graph, info)
    further = _further_output(graph, heatmap=heatmap, features=features)
    prepared = Preparation(graph, info, calibration)
    origin = {"weights_sha256": sha256_of(info.weights)} | provenance
    scoring_set = _scoring_set(float_model, scoring)
    novelty = read_novelty_images() if read_novelty_images else None
    results: list[ConversionResult] = []
    training: dict[str, Any] | None = None
    for recipe in recipes:
        click.echo(f"Converting {recipe.name}: {recipe.summary}")
        path = out / f"{recipe.name}.tflite"
        trained = None
        recipe_graph, ranges = prepared.start_of(recipe)
        if recipe.trains:
            assert qat is not None
            assert ranges is not None
            trained = _fine_tune(graph, ranges, recipe_graph, info, qat, out / CHECKPOINT_NAME)
            recipe_graph, ranges = trained.graph, trained.ranges
        inputs = prepared.inputs if recipe.calibrates else None
        flatbuffer = emit_tflite(
            recipe_graph, recipe, calibration=inputs, ranges=ranges, features=further
        )
        with _naming(recipe):
            self_test = make_self_test(flatbuffer)
        spec = replace(
            info.spec(recipe.name),
            self_test=self_test,
            heatmap=_heatmap_head(recipe_graph) if heatmap else None,
            provenance=origin,
        )
        # A model takes its place once it is measured and described: however the conversion ends,
        # no other lies there.
        with (
            whole_file(out / REPORT_NAME) as report,
            whole_file(path) as unproven,
            _naming(recipe),
        ):
            unproven.write_bytes(model_bytes(flatbuffer, spec))
            if novelty is not None:
                spec = replace(spec, novelty=novelty.fit(unproven))
                unproven.write_bytes(model_bytes(flatbuffer, spec))
            if trained is not None:
                training = _training_report(trained, unproven, scoring_set)
            result = verify(unproven, scoring_set, limits=limits)
            results.append(replace(result, file=path.name))
            document = _report(
                info, scoring_set, results, prepared.to_json(), limits, training, heatmap
            )
            report.write_text(json_text(document), encoding="utf-8", errors="backslashreplace")
        if trained is not None:
            (out / CHECKPOINT_NAME).unlink(missing_ok=True)
    return results


def _further_output(graph: Graph, *, heatmap: bool, features: bool) -> str | None:
    """Return the name of the node whose value shall be the second output."""
    if not heatmap and not features:
        return None
    tail = find_tail(graph)
    return tail.features if heatmap else tail.mean


def _check_finite(graph: Graph, info: FloatModelInfo) -> None:
    for node in graph:
        for value in vars(node).values():
            if isinstance(value, np.ndarray) and not np.isfinite(value).all():
                raise EdgeclfError(
                    f"{info.weights}: layer {node.name!r} has weights that are not numbers (NaN or "
                    "infinite); train again, or give other weights"
                )


@contextmanager
def _naming(recipe: Recipe) -> Iterator[None]:
    """Name the recipe whose file computes scores that are not numbers; no file is left of it."""
    try:
        yield
    except ScoresError:
        raise EdgeclfError(
            f"recipe {recipe.name}: its file would compute scores that are not numbers (NaN or "
            "infinite); leave the recipe out, or train again"
        ) from None


def interruption_message(out: Path) -> str:
    """Say in a line what an interrupted conversion leaves in `out`, and how to go on."""
    message = "no model is finished"
    if (out / REPORT_NAME).exists():
        message = f"the models that {out / REPORT_NAME} describes are whole"
    if (out / CHECKPOINT_NAME).exists():
        message += (
            "; finished epochs of int8-qat are kept in "
            f"{out / CHECKPOINT_NAME}, and the same command goes on after them"
        )
    return message


def _check_images(
    recipes: Sequence[Recipe], calibration: Photographs | None, qat: QatPlan | None
) -> None:
    for recipe in recipes:
        if recipe.calibrates and calibration is None:
            raise EdgeclfError(
                f"recipe {recipe.name} needs images to calibrate on; add --calibration FOLDER"
            )
        if recipe.trains and qat is None:
            raise EdgeclfError(
                f"recipe {recipe.name} trains on the images of a run; give RUN instead of --weights"
            )


def _fine_tune(
    graph: Graph,
    ranges: dict[str, TensorRange],
    start: Graph,
    info: FloatModelInfo,
    qat: QatPlan,
    checkpoint: Path,
) -> Trained:
    train, val = (
        load_photographs(part, size_hw=info.input_hw, rule=info.resize)[0]
        for part in (qat.train, qat.val)
    )
    return train_fake_quant(
        graph,
        ranges,
        start=start,
        train=train,
        val=val,
        config=qat.config,
        checkpoint=checkpoint,
    )


def _heatmap_head(graph: Graph) -> HeatmapHead:
    return HeatmapHead.from_kernel(find_tail(graph).kernel)


def _training_report(trained: Trained, path: Path, scoring: ScoringSet | None) -> dict[str, Any]:
    """Return what was measured of a training, and whether the file says what Keras says."""
    same = None
    if scoring is not None:
        keras = trained.scores(scoring.inputs).argmax(1)
        same = agreement(keras, file_scores(Classifier(path), scoring.inputs).argmax(1))
        click.echo(f"The file and the network that was trained agree on {same:.3f}")
    return {"epochs": [asdict(epoch) for epoch in trained.history], "keras_agreement": same}


def _scoring_set(model: FloatModel, scoring: Photographs | None) -> ScoringSet | None:
    if scoring is None:
        return None
    info = model.info
    inputs, labels = load_photographs(scoring, size_hw=info.input_hw, rule=info.resize)
    absent = sorted(set(info.labels) - set(labels))
    if absent:
        others = f" and {len(absent) - 1} others" if len(absent) > 1 else ""
        echo_warning(
            f"no image to score on of class {absent[0]!r}{others}; what is lost there is "
            "not measured"
        )
    truth = np.asarray([info.labels.index(label) for label in labels])
    reference = model.scores(inputs)
    if not np.isfinite(reference).all():
        raise EdgeclfError(
            f"{info.weights}: the float model's scores are not numbers (NaN or infinite); train "
            "again, or give other weights"
        )
    return ScoringSet(inputs, truth, reference)


def _report(
    info: FloatModelInfo,
    scoring: ScoringSet | None,
    results: list[ConversionResult],
    calibration: dict[str, Any],
    limits: Limits,
    training: dict[str, Any] | None,
    heatmap: bool,
) -> dict[str, Any]:
    reference = None
    recommended = recommend(results)
    if scoring is not None:
        guess = scoring.reference.argmax(1)
        scores = score_predictions(scoring.truth, guess, labels=info.labels)
        reference = scores.to_json()
    return {
        "edgeclf_version": __version__,
        "architecture": info.architecture,
        "weights": info.weights.name,
        "calibration": calibration,
        "heatmap": heatmap,
        "limits": None if scoring is None else asdict(limits),
        "qat": training,
        "recommended": None if recommended is None else asdict(recommended),
        "reference": reference,
        "models": [result.to_json() for result in results],
    }
