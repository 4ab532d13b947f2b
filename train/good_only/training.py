"""A training on good images only, from the data folder to the finished run."""

from dataclasses import asdict, replace
from pathlib import Path

import click
import keras
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.command_line.warning import echo_warning
from ...edge_runtime.files import write_text
from ...models.data.augment import AugmentConfig
from ...models.data.examples import Split
from ...models.good_only import GOOD, GOOD_ONLY_LABELS
from ...models.metrics.detection import group_numbers
from ...models.metrics.records import to_json
from ...models.networks.architectures import architecture
from ...models.networks.patch_memory import (
    check_good_only,
    fill_memory,
    good_only_classifier,
    patch_network,
)
from ...models.photographs import Photographs
from ...models.run import LABELS_NAME, MODEL_NAME, read_run, write_config, write_split
from ..config import GoodOnlyConfig, RunOptions, TrainConfig
from ..evaluation.evaluate import Evaluation, evaluate
from ..evaluation.saliency import find_masks
from ..fitting.fit import build_model
from ..report.writing import write_evaluation
from ..run_folder import check_out, make_room, remove_intermediate
from ..training import plain_config
from .images import GoodOnlyImages, read_good_only
from .memory import HeldOut, fit_memory
from .summary import defects_text, score_defects

# Of a projected patch: more hardly tell more, and each costs as much of the device.
_DIMENSIONS = 63
_BATCH = 16


def train_good_only(
    config: TrainConfig, good_only: GoodOnlyConfig, options: RunOptions
) -> Evaluation:
    """Learn what good images look like, leave the run in `config.out`, and return its evaluation.

    Raises:
        EdgeclfError: the data, the network or the weights cannot serve, or `config.out` holds
            another run.
    """
    check_good_only(architecture(config.architecture))
    check_out(config.out, options)
    found = read_good_only(config, good=options.good)
    for warning in found.warnings:
        echo_warning(warning)
    test = _photographs(found, "test", config.data)
    masked = find_masks(
        test, data=config.data, masks=options.masks, size_hw=config.input_hw, rule=config.resize
    )
    model, held_out = _fit(found, config, good_only)

    # All input is known to be good: only now is the folder touched.
    out = config.out
    make_room(out, resume=False)
    write_text(out / LABELS_NAME, "\n".join(GOOD_ONLY_LABELS) + "\n")
    write_split(out, found.images)
    unchanged = replace(config, phases=(), augment=AugmentConfig(0.0, 0.0, "none", 0.0))
    settings = {"good": GOOD, "good_only": asdict(good_only)}
    write_config(out, plain_config(unchanged) | settings)
    model.save(out / MODEL_NAME)
    run = read_run(out)
    evaluation = evaluate(
        run.info,
        train=_split(found, "train"),
        val=_split(found, "val"),
        test=_split(found, "test"),
        photographs=test,
        masked=masked,
    )
    defects = score_defects(evaluation.truth, evaluation.scores, paths=test.paths)
    further = {
        "warnings": list(found.warnings),
        "held_out_good": to_json(held_out),
        "defects": [to_json(one) for one in defects],
    }
    val = _photographs(found, "val", config.data)
    write_evaluation(run, evaluation, further, val=val, test=test, data=config.data)
    remove_intermediate(out)
    click.echo(defects_text(defects))
    return evaluation


def _fit(
    found: GoodOnlyImages, config: TrainConfig, good_only: GoodOnlyConfig
) -> tuple[keras.Model, HeldOut]:
    """Return the network with its memory, and the good images that the threshold comes from."""
    chosen = architecture(config.architecture)
    network = patch_network(chosen, input_hw=config.input_hw)
    start = build_model(config, classes=len(GOOD_ONLY_LABELS))
    _copy_weights(start, network)

    def features(places: NDArray[np.intp]) -> NDArray[np.float32]:
        parts = [places[i : i + _BATCH] for i in range(0, len(places), _BATCH)]
        made = [network.predict_on_batch(found.pixels[part].astype("float32")) for part in parts]
        return np.concatenate(made)

    click.echo("Learning what good patches look like")
    memory, held_out = fit_memory(
        features,
        train=found.of("train"),
        val=found.of("val"),
        groups=group_numbers(found.groups),
        dimensions=_DIMENSIONS,
        patches=good_only.patches,
        false_defect=good_only.false_defect,
        seed=config.seed,
    )
    model = good_only_classifier(
        chosen,
        input_hw=config.input_hw,
        dimensions=len(memory.bias) + 1,
        patches=len(memory.patches),
    )
    _copy_weights(start, model)
    fill_memory(model, memory)
    return model, held_out


def _copy_weights(source: keras.Model, target: keras.Model) -> None:
    names = {layer.name for layer in source.layers}
    for layer in target.layers:
        if layer.name in names and layer.weights and layer.name != source.layers[-1].name:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def _split(found: GoodOnlyImages, name: str) -> Split:
    places = found.of(name)
    return Split(found.pixels[places], found.classes[places])


def _photographs(found: GoodOnlyImages, split: str, data: Path) -> Photographs:
    images = [image for image in found.images if image.split == split]
    return Photographs(tuple(data / i.path for i in images), tuple(i.label for i in images))
