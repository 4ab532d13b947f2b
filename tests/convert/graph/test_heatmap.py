"""Two-headed files: the scores are those of one-headed ones, and heatmaps explain them."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeclf.convert.graph.batch_norm import deploy_graph
from edgeclf.convert.graph.heatmap import find_tail
from edgeclf.convert.graph.nodes import Activation, Conv, Graph, Reshape
from edgeclf.convert.graph.read_keras import read_keras
from edgeclf.convert.graph.to_keras import build_tf_keras
from edgeclf.convert.quantize.emit import emit_int8
from edgeclf.convert.quantize.ranges import calibrate_ranges
from edgeclf.convert.recipes import DEFAULT_RECIPES, RECIPES
from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.heatmap import HeatmapHead, overlay_heatmap
from edgeclf.edge_runtime.images import read_image
from edgeclf.edge_runtime.model_file.container import flatbuffer_size, read_model, write_model
from edgeclf.edge_runtime.tflite.interpreter import open_interpreter
from edgeclf.edge_runtime.tflite.tflite_file import Operator, TFLiteFile, parse_tflite
from edgeclf.models.float_model import FloatModel
from edgeclf.models.photographs import load_photographs, run_photographs
from edgeclf.models.run import read_run

UNTRAINED = tuple(name for name, recipe in RECIPES.items() if not recipe.trains)
ANY_DROP = ("--max-drop", 100, "--max-class-drop", 100)


@pytest.fixture(scope="module")
def two_headed(cli, tiny_run: Path, tmp_path_factory) -> Path:
    """The folder of the tiny run's files, of every recipe, with heatmaps."""
    out = tmp_path_factory.mktemp("two-headed")
    recipes = ("--recipes", ",".join(RECIPES), "--qat-epochs", 1)
    cli("convert", tiny_run, "--out", out, "--heatmap", *recipes, *ANY_DROP)
    return out


@pytest.fixture(scope="module")
def one_headed(cli, tiny_run: Path, tmp_path_factory) -> dict[str, Path]:
    """The same without a second output, by recipe."""
    out = tmp_path_factory.mktemp("one-headed")
    cli(
        "convert",
        tiny_run,
        "--out",
        out,
        "--recipes",
        ",".join(UNTRAINED),
        "--no-novelty",
        *ANY_DROP,
    )
    return {path.stem: path for path in out.glob("*.tflite")}


@pytest.fixture(scope="module")
def images(tiny_run: Path) -> np.ndarray:
    run = read_run(tiny_run)
    photographs = run_photographs(run, "test")
    return load_photographs(photographs, size_hw=run.info.input_hw, rule=run.info.resize)[0]


@pytest.fixture(scope="module")
def graph(tiny_run: Path) -> Graph:
    return deploy_graph(read_keras(FloatModel(read_run(tiny_run).info).keras_model))


def first_outputs(model: bytes, images: np.ndarray) -> np.ndarray:
    interpreter = open_interpreter(model, name="model", threads=1)
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = []
    for image in images:
        interpreter.set_tensor(taken["index"], image[np.newaxis])
        interpreter.invoke()
        found.append(interpreter.get_tensor(given["index"]).copy())
    return np.concatenate(found)


@pytest.mark.parametrize("recipe", UNTRAINED)
def test_the_scores_are_those_of_a_one_headed_file(two_headed, one_headed, images, recipe) -> None:
    (data, spec), (plain, plain_spec) = (
        read_model(path) for path in (two_headed / f"{recipe}.tflite", one_headed[recipe])
    )
    np.testing.assert_array_equal(first_outputs(data, images), first_outputs(plain, images))
    without = replace(spec, heatmap=None, novelty=None)
    assert replace(without, self_test=replace(spec.self_test, features=None)) == plain_spec
    assert None not in (spec.heatmap, spec.novelty, spec.self_test.features)
    size = flatbuffer_size(plain)
    assert size < flatbuffer_size(data) < size + 1000


@pytest.mark.parametrize("recipe", DEFAULT_RECIPES)
def test_features_leave_the_scores_as_they_are(tiny_models, one_headed, images, recipe) -> None:
    data, spec = read_model(tiny_models / f"{recipe}.tflite")
    plain = read_model(one_headed[recipe])[0]
    np.testing.assert_array_equal(first_outputs(data, images), first_outputs(plain, images))
    model = parse_tflite(data)
    scores, features = (model.tensors[place] for place in model.outputs)
    assert (scores.shape, features.shape) == ((1, 4), (1, 16))
    assert scores.dtype == features.dtype
    assert spec.novelty.channels == 16


def test_the_features_are_the_mean_of_the_map(tiny_models, two_headed, graph, images) -> None:
    tail = find_tail(graph)
    expected = build_tf_keras(graph, outputs=[tail.mean]).predict_on_batch(
        images.astype(np.float32)
    )
    for folder in (tiny_models, two_headed):
        exact, rounded = (Classifier(folder / f"{name}.tflite") for name in ("float32", "int8"))
        for image, mean in zip(images, expected, strict=True):
            np.testing.assert_allclose(exact.observe(image).features, mean, atol=1e-3)
        # The techniques before int8 scale channels; what is left is the rounding.
        found = np.stack([rounded.observe(image).features for image in images])
        likeness = [np.corrcoef(*pair)[0, 1] for pair in zip(found.T, expected.T, strict=True)]
        assert np.median(likeness) > 0.98


def test_the_scores_of_a_trained_graph_are_the_same_too(graph: Graph, images: np.ndarray) -> None:
    # Two trainings on several threads part in the last bit; so here is what comes after them.
    ranges = calibrate_ranges(graph, images)
    plain = emit_int8(graph, ranges)
    headed = emit_int8(graph, ranges, features=find_tail(graph).features)
    np.testing.assert_array_equal(first_outputs(headed, images), first_outputs(plain, images))
    model = parse_tflite(headed)
    assert [model.tensors[place].dtype for place in model.outputs] == ["uint8", "uint8"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_feature_map_comes_second_in_the_type_of_the_scores(two_headed, recipe) -> None:
    model = parse_tflite((two_headed / f"{recipe}.tflite").read_bytes())
    scores, features = (model.tensors[place] for place in model.outputs)
    assert scores.shape == (1, 4)
    assert features.shape == (1, 4, 4, 16)
    kind = "uint8" if RECIPES[recipe].activations == "int8" else "float32"
    assert scores.dtype == features.dtype == kind  # MediaPipe wants all quantized, or none


def test_the_float_map_is_that_of_the_graph(two_headed: Path, graph: Graph, images) -> None:
    tail = find_tail(graph)
    model = build_tf_keras(graph, outputs=[tail.features])
    expected = model.predict_on_batch(images.astype(np.float32)) @ tail.kernel
    classifier = Classifier(two_headed / "float32.tflite")
    for image, maps in zip(images, expected, strict=True):
        classifier.scores(image)
        for index in range(4):
            ours = classifier.class_activation_map(index)
            assert ours.dtype == np.float32
            np.testing.assert_allclose(ours, maps[..., index], atol=1e-3)


def dequantized(model: TFLiteFile, place: int) -> np.ndarray:
    """Return the numbers that a constant stands for, wherever it is widened from."""
    for operator in model.operators:
        if operator.name == "DEQUANTIZE" and place in operator.outputs:
            return dequantized(model, operator.inputs[0])
    tensor = model.tensors[place]
    values = tensor.values().astype(np.float64).reshape(tensor.shape)
    if not tensor.scales.size:
        return values
    assert not tensor.zero_points.any()
    return (values.T * tensor.scales).T


def last_dense(model: TFLiteFile) -> Operator:
    """Return the dense layer that the softmax reads."""
    [softmax] = [operator for operator in model.operators if operator.name == "SOFTMAX"]
    [dense] = [op for op in model.operators if softmax.inputs[0] in op.outputs]
    assert dense.name == "FULLY_CONNECTED"
    return dense


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_mean_of_a_map_is_the_logit_without_bias(two_headed, images, recipe) -> None:
    path = two_headed / f"{recipe}.tflite"
    model = parse_tflite(path.read_bytes())
    dense = last_dense(model)
    weights, bias = (dequantized(model, place) for place in dense.inputs[1:])
    copies = weights.shape[1] - 16  # of the best logit, beside the features
    weights = weights[:, :16]
    mean_step, weight_step, logit_step = (
        model.tensors[place].scales.astype(np.float64) if model.tensors[place].scales.size else 0.0
        for place in (*dense.inputs[:2], dense.outputs[0])
    )
    classifier = Classifier(path)
    score_step = 1 / 256 if RECIPES[recipe].activations == "int8" else 0.0
    for image in images:
        scores = classifier.scores(image)
        logits = bias + [classifier.class_activation_map(index).mean() for index in range(4)]
        features = classifier.interpreter.get_tensor(classifier._tensors._features["index"])
        scale = classifier._tensors._features["quantization"][0] or 1.0
        total = float(features.astype(np.float64).mean((0, 1, 2)).sum() * scale)
        total = total + copies * 255 * mean_step  # none of them is larger
        # Half a step each of the weights and the logits, one of the means and of the scores.
        allowed = 1e-3 + weight_step / 2 * total + logit_step / 2
        allowed = allowed + mean_step * np.abs(weights).sum(1) + score_step / scores
        wrong = (logits - logits[0]) - (np.log(scores) - np.log(scores[0]))
        assert (np.abs(wrong) <= allowed + allowed[0]).all()
        assert np.ptp(logits) > 0.1  # there is something to explain


def test_a_heatmap_is_of_the_best_class_and_costs_no_second_inference(
    two_headed: Path, surfaces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = Classifier(two_headed / "int8.tflite")
    photograph = read_image(next((surfaces / "oil").glob("*.png")))
    calls = []
    invoke = classifier.interpreter.invoke
    monkeypatch.setattr(classifier.interpreter, "invoke", lambda: calls.append(invoke()))
    prediction = classifier.classify(photograph, heatmap=True)
    best = classifier.spec.labels.index(prediction.top[0][0])
    np.testing.assert_array_equal(prediction.heatmap, classifier.class_activation_map(best))
    assert prediction.heatmap.shape == (4, 4)
    assert len(calls) == 1
    plain = classifier.classify(photograph)
    assert plain.heatmap is None
    assert plain == replace(prediction, ms=plain.ms)


def test_a_one_headed_file_names_the_mend(cli, tiny_models, surfaces, tmp_path: Path) -> None:
    path = tiny_models / "int8.tflite"
    result = cli("run", path, surfaces / "oil", "--heatmap", tmp_path / "maps", code=1)
    assert (
        result.output == f"Error: {path}: it makes no heatmaps; convert the model with --heatmap\n"
    )
    assert not (tmp_path / "maps").exists()
    with pytest.raises(EdgeclfError, match="convert the model with --heatmap"):
        Classifier(path).class_activation_map(0)


def test_run_writes_what_the_model_saw(cli, two_headed, surfaces, tmp_path: Path) -> None:
    folder, path = surfaces / "oil", two_headed / "float32.tflite"
    shown = cli("run", path, folder, "--heatmap", tmp_path / "maps", "--threshold", 1).stdout
    assert {path.name for path in (tmp_path / "maps").iterdir()} == {
        f"{photograph.stem}.heatmap.png" for photograph in folder.iterdir()
    }
    assert len(shown.splitlines()) == 24
    classifier = Classifier(path)
    first = min(folder.iterdir())
    rgb = read_image(first)
    expected = overlay_heatmap(
        classifier.preprocess(rgb), classifier.classify(rgb, heatmap=True).heatmap
    )
    written = read_image(tmp_path / "maps" / f"{first.stem}.heatmap.png")
    np.testing.assert_array_equal(written, expected)


def test_each_frame_of_a_video_has_its_own(cli, two_headed: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 10, (48, 48))
    for shade in (0, 100, 200):
        writer.write(np.full((48, 48, 3), shade, np.uint8))
    writer.release()
    cli("run", two_headed / "int8.tflite", clip, "--heatmap", tmp_path / "maps")
    names = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert names == [f"clip#{index}.heatmap.png" for index in range(3)]


def test_no_heatmap_overwrites_another(cli, two_headed, surfaces, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "photo.png").write_bytes(
            next((surfaces / "oil").glob("*.png")).read_bytes()
        )
    command = ("run", two_headed / "int8.tflite", tmp_path / "a", tmp_path / "b")
    result = cli(*command, "--heatmap", tmp_path / "maps", code=1)
    assert result.output.startswith("Error: photo.heatmap.png: 2 sources would write it; ")
    assert len(cli(*command).output.splitlines()) == 2


def test_what_speaks_for_the_class_is_bright_all_else_dark() -> None:
    grey = np.full((60, 80, 3), 128, np.uint8)
    laid = overlay_heatmap(grey, np.array([[-3, 0], [-9, 9]], np.float32)).astype(int)
    assert laid.shape == (60, 80, 3)
    assert laid[-1, -1].sum() > laid[0, 0].sum() + 200
    np.testing.assert_array_equal(laid[0, 0], laid[0, -1])
    against = overlay_heatmap(grey, np.array([[-3, -1]], np.float32))
    assert (against == laid[0, 0]).all()


def test_inspect_tells(cli, two_headed: Path, tiny_models: Path) -> None:
    path = two_headed / "int8.tflite"
    shown = cli("inspect", path, "--self-test").output
    assert "; feature map, for heatmaps" in shown
    assert "the same bit for bit" in shown
    assert "nothing looks wrong" in shown
    assert "heatmap" not in cli("inspect", tiny_models / "int8.tflite").output
    report = json.loads(cli("inspect", path, "--json").output)
    assert [output["shape"] for output in report["outputs"]] == [[1, 4], [1, 4, 4, 16]]
    scores, features = report["metadata"]["outputs"]
    assert [scores["name"], features["name"]] == ["scores", "features"]
    assert scores["files"]
    assert features["files"] == []
    assert "where in the image" in features["description"]
    assert report["float_operators"] == {}


def test_the_report_tells(two_headed: Path, tiny_models: Path) -> None:
    for folder, expected in ((two_headed, True), (tiny_models, False)):
        assert json.loads((folder / "conversion.json").read_text())["heatmap"] is expected


def test_benchmark_takes_them(cli, two_headed: Path, surfaces: Path) -> None:
    path = two_headed / "int8.tflite"
    assert "int8" in cli("benchmark", path, "--data", surfaces, "--queries", 10).output


def test_the_weights_are_those_that_the_file_computes_with(two_headed: Path) -> None:
    for recipe in ("int8", "int8-qat"):
        data, spec = read_model(two_headed / f"{recipe}.tflite")
        model = parse_tflite(data)
        dense = last_dense(model)
        kernel = model.tensors[dense.inputs[1]]
        wrong = spec.heatmap.class_weights() - dequantized(model, dense.inputs[1])[:, :16]
        # Half a step of int8, and float16's rounding of at most 127 of them.
        allowed = (0.5 + 127 / 2**11) * kernel.scales
        assert (np.abs(wrong) / allowed[:, np.newaxis]).max() <= 1


def test_the_head_keeps_eleven_bits_of_any_kernel() -> None:
    kernel = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    head = HeatmapHead.from_kernel(kernel)
    assert head.class_weights().shape == (3, 5)
    np.testing.assert_allclose(head.class_weights().T, kernel, rtol=2**-11)
    assert HeatmapHead.from_json(json.loads(json.dumps(asdict(head)))) == head


@pytest.mark.parametrize(
    "damage",
    [
        {"weights": "AAA"},
        {"channels": 0},
        {"channels": 17},
        {"weights": "AHw=" * 17, "channels": 1},
    ],
)
def test_a_damaged_head_is_one_line(two_headed: Path, tmp_path: Path, damage: dict) -> None:
    data, spec = read_model(two_headed / "int8.tflite")
    damaged = replace(spec, heatmap=replace(spec.heatmap, **damage))
    write_model(tmp_path / "model.tflite", data[: flatbuffer_size(data)], damaged)
    with pytest.raises(EdgeclfError, match=r"its spec is damaged \(.*\); convert the model again"):
        Classifier(tmp_path / "model.tflite")


def test_a_head_of_another_model(two_headed: Path, tiny_models: Path, tmp_path: Path) -> None:
    data, spec = read_model(two_headed / "int8.tflite")
    plain = read_model(tiny_models / "int8.tflite")[0]
    fewer = HeatmapHead.from_kernel(np.ones((16, 3), np.float32))
    for flatbuffer, head in ((data, fewer), (plain, spec.heatmap)):
        path = tmp_path / "model.tflite"
        write_model(path, flatbuffer[: flatbuffer_size(flatbuffer)], replace(spec, heatmap=head))
        with pytest.raises(EdgeclfError, match="its weights for heatmaps do not fit"):
            Classifier(path)


def test_a_reshape_before_the_dense_layer_changes_nothing(graph: Graph) -> None:
    tail = find_tail(graph)
    *before, dense, softmax = graph
    flat = Reshape("flat", dense.inputs, (16,))
    longer = Graph([*before, flat, replace(dense, inputs=("flat",)), softmax])
    assert find_tail(longer).features == tail.features == "relu"


def test_other_tails_are_refused_in_one_line(graph: Graph) -> None:
    *before, average, dense, softmax = graph
    pointwise = Conv("head", dense.inputs, *2 * [np.ones((1, 1, 1, 1), np.float32)], (1, 1), "same")
    doubled = Activation("twice", (average.name,), "relu")
    for nodes, found, place in (
        ([*before, average, dense], "'predictions' (Dense)", "the softmax"),
        ([*before, average, dense, replace(softmax, function="sigmoid")],
         "'predictions_softmax' (Activation)", "the softmax"),
        ([*before, average, pointwise, replace(softmax, inputs=("head",))],
         "'head' (Conv)", "the dense layer"),
        ([*before, average, doubled, replace(dense, inputs=("twice",)), softmax],
         "'twice' (Activation)", "the global average"),
    ):  # fmt: skip
        with pytest.raises(EdgeclfError) as caught:
            find_tail(Graph(nodes))
        assert f"this one has {found} in the place of {place}; convert" in str(caught.value)
        assert "\n" not in str(caught.value)
