"""The exported page in a real browser: the bits of the device runtime, a camera, no network."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skips import require_program, skip_without

from edgeclf.benchmarks.compat.browser.chromium import Page, open_browser
from edgeclf.convert.export.web.packages import litert_files
from edgeclf.convert.export.web.server import serve
from edgeclf.convert.export.web.site import write_site
from edgeclf.edge_runtime import Classifier, EdgeclfError, read_image
from edgeclf.edge_runtime.novelty.appearance import AppearanceRange, appearance_of
from edgeclf.edge_runtime.preprocess import RESIZE_RULES, preprocess

CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
IS_READY = "!['', 'Loading'].includes(document.getElementById('state')?.textContent ?? '')"
CLASSIFY = """(async () => {
  const { ask } = await import("/app.js");
  const { pixelsOf } = await import("/photographs.js");
  const blob = await (await fetch("/photographs/%s")).blob();
  const outputs = await ask("infer", { picture: await pixelsOf(blob) });
  const answer = await ask("classify", { picture: await pixelsOf(blob) });
  return { ...answer, outputs: outputs.map((output) => Array.from(output)) };
})()"""


@pytest.fixture(scope="module")
def model(tiny_heatmaps: Path) -> Path:
    return tiny_heatmaps / "int8.tflite"


@pytest.fixture(scope="module")
def site(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page for the tiny int8 file with heatmaps."""
    require_program("chromium")
    try:
        runtime = litert_files(offline=False)
    except EdgeclfError as error:
        skip_without("network", str(error))
    folder = tmp_path_factory.mktemp("export") / "site"
    write_site(model, out=folder, name="Surfaces", runtime=runtime)
    return folder


@pytest.fixture(scope="module")
def page(site: Path) -> Iterator[Page]:
    assert site.is_dir()
    with open_browser(require_program("chromium"), *CAMERA) as tab:
        yield tab
        assert tab.errors == []


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of odd sizes, as PNG and JPEG, one that is turned by its EXIF entry among them."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for number, (height, width) in enumerate([(1, 1), (33, 31), (64, 200), (301, 77), (480, 640)]):
        coarse = rng.integers(0, 256, (6, 6, 3), np.uint8)
        picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
        cv2.imwrite(str(folder / f"{number}.jpg"), picture)
    jpeg = (folder / "2.jpg").read_bytes()
    turned = (
        b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06" + bytes(6)
    )
    (folder / "turned.jpg").write_bytes(jpeg[:2] + turned + jpeg[2:])
    return folder


def test_photographs_get_the_bits_of_the_device_runtime(
    site: Path, model: Path, page: Page, photographs: Path
) -> None:
    classifier = Classifier(model, threads=1)
    with serve({"": site, "photographs": photographs}) as address:
        page.open(f"{address}/")
        page.until(IS_READY)
        assert page.run("document.getElementById('state').textContent") == "Ready"
        assert page.run("document.getElementById('about').textContent").startswith(
            "Self-test passed: 60 of 60 values are the same"
        )
        for file in sorted(photographs.iterdir()):
            check_answer(page.run(CLASSIFY % file.name), classifier, file)
        page.open("about:blank")


def check_answer(answer: dict[str, Any], classifier: Classifier, file: Path) -> None:
    rgb = read_image(file)
    expected = classifier.classify(rgb, heatmap=True)
    scores = classifier.infer(classifier.preprocess(rgb))
    features = classifier.interpreter.get_output_details()[1]
    feature_map = classifier.interpreter.get_tensor(features["index"])[0]
    assert answer["outputs"] == [scores.tolist(), feature_map.ravel().tolist()], file.name
    assert (answer["label"], answer["score"]) == (expected.label, expected.score)
    assert [tuple(one) for one in answer["top"][:3]] == list(expected.top)
    assert answer["novelty_reason"] == expected.novelty_reason
    refused = answer["refused"] and answer["refused"]["label"]
    assert refused == (expected.refused.label if expected.refused else None)
    if expected.novelty is not None:
        assert answer["novelty"] == pytest.approx(expected.novelty, abs=1e-6)
    assert expected.heatmap is not None
    speaking = np.maximum(expected.heatmap, 0) / (max(expected.heatmap.max(), 0) or 1)
    values = list(answer["heatmap"]["values"].values())
    np.testing.assert_allclose(values, speaking.ravel(), atol=1e-5)


def test_the_resize_is_that_of_preprocess(site: Path, page: Page) -> None:
    rng = np.random.default_rng(1)
    with serve({"": site}) as address:
        page.open(f"{address}/site.json")  # a page of the same origin without a model
        for number in range(30):
            sizes = [int(side) for side in rng.integers(1, (160, 160, 70, 70))]
            pixels = rng.integers(0, 256, (*sizes[:2], 3), np.uint8)
            rule = RESIZE_RULES[number % 3]
            resized = resized_in(page, pixels, (sizes[2], sizes[3]), rule)
            expected = preprocess(pixels, size_hw=(sizes[2], sizes[3]), rule=rule)
            assert resized == expected.ravel().tolist(), (sizes, rule)
        page.open("about:blank")


def test_the_appearance_is_that_of_the_runtime(site: Path, page: Page) -> None:
    rng = np.random.default_rng(2)
    drawn = [rng.integers(0, high, (12, 12, 3), np.uint8) for high in (90, 120, 160)]
    known = AppearanceRange.around(np.stack([appearance_of(image) for image in drawn]))
    images = [rng.integers(0, 256, (*rng.integers(1, 20, 2), 3), np.uint8) for _ in range(20)]
    with serve({"": site}) as address:
        page.open(f"{address}/site.json")
        for image in [*drawn, *images]:
            size = {"height": image.shape[0], "width": image.shape[1]}
            values, departure = page.run(
                f"""import("/classifier/appearance.js").then(({{ appearanceOf, departure }}) => {{
                  const data = Uint8Array.from({image.ravel().tolist()});
                  const values = appearanceOf({{ ...{json.dumps(size)}, data }});
                  return [values, departure(values, {json.dumps(asdict(known))})];
                }})"""
            )
            appearance = appearance_of(image)
            expected = known.departure(appearance)
            np.testing.assert_allclose(values, appearance, rtol=1e-5, atol=1e-5)
            assert departure["share"] == pytest.approx(expected.share, rel=1e-4)
            assert departure["words"] == expected.words
        page.open("about:blank")


def resized_in(page: Page, pixels: NDArray[np.uint8], size: tuple[int, int], rule: str) -> Any:
    image = {"width": pixels.shape[1], "height": pixels.shape[0]}
    return page.run(
        f"""import("/classifier/resize.js").then(({{ preprocess }}) => Array.from(preprocess(
          {{ ...{json.dumps(image)}, data: Uint8Array.from({pixels.ravel().tolist()}) }},
          {list(size)}, "{rule}").data))"""
    )


def test_a_camera_is_classified_and_without_a_network_as_well(site: Path, page: Page) -> None:
    with serve({"": site}) as address:
        page.open(f"{address}/")
        page.until(IS_READY)
        hosts = page.run("performance.getEntriesByType('resource').map((one) => one.name)")
        assert all(name.startswith(address) for name in hosts)
    page.open("about:blank")  # the server is gone
    page.open(f"{address}/")
    page.until(IS_READY)
    page.run("document.getElementById('start').click()")
    page.until("document.getElementById('fps').textContent !== '–'")
    assert page.run("document.body.dataset.state") == "live"
    assert page.run("document.querySelectorAll('#bars li').length") == 4
    page.run("document.getElementById('heatmap').click()")
    assert page.run("document.getElementById('overlay').width") == 4
    page.run("document.getElementById('stop').click()")
    assert page.run("document.getElementById('state').textContent") == "Ready"
    page.errors.clear()  # the browser asks the server for a newer service worker
    page.open("about:blank")


def test_a_damaged_model_is_not_used(site: Path, model: Path, tmp_path: Path, page: Page) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(site, damaged)
    data = bytearray(model.read_bytes())
    data[5000] ^= 1
    (damaged / "model.tflite").write_bytes(data)
    with serve({"": damaged}) as address:
        page.open(f"{address}/")
        page.until(IS_READY)
        assert page.run("document.getElementById('state').textContent") == "Failed"
        assert "its SHA-256 is not" in page.run("document.getElementById('reason').textContent")
        assert page.run("document.getElementById('choose').disabled")
        page.open("about:blank")
