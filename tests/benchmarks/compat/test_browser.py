"""LiteRT.js and MediaPipe tasks-vision in a real browser: the bits that Python gets."""

import base64
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from repository import REPOSITORY
from skips import require_program, skip_without

from edgeclf.benchmarks.compat.browser.chromium import Page, open_browser
from edgeclf.benchmarks.compat.browser.packages import installed_packages, versions
from edgeclf.benchmarks.compat.browser.rows import (
    RELAXED,
    THREADED,
    WITHOUT_RELAXED,
    litert_run,
    quantized,
    rows,
    run_tasks_vision,
)
from edgeclf.benchmarks.compat.cases import Case, OutputTensor, write_case
from edgeclf.convert.export.web.server import serve
from edgeclf.edge_runtime import Classifier, EdgeclfError
from edgeclf.edge_runtime.tflite.interpreter import open_interpreter

Run = Callable[[Path, Path], dict[str, Any]]

DOCUMENT = REPOSITORY / "docs/device/browser.md"
RUNS = {
    "LiteRT.js": litert_run(RELAXED),
    "LiteRT.js without relaxed SIMD": litert_run(WITHOUT_RELAXED),
    "LiteRT.js on two threads": litert_run(THREADED, threads=2),
    "tasks-vision": run_tasks_vision,
}
REPORTS_TO = "https://odml.pa.googleapis.com/v1/log"


@pytest.fixture(scope="module")
def executable() -> str:
    return require_program("chromium")


@pytest.fixture(scope="module")
def work(executable: str, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001
    """A folder that holds the npm packages."""
    require_program("npm")
    folder = tmp_path_factory.mktemp("browser")
    try:
        installed_packages(folder)
    except EdgeclfError as error:
        skip_without("network", str(error))
    return folder


@pytest.fixture(params=["scores", "heatmap"])
def case(request: pytest.FixtureRequest, work: Path) -> Case:
    """The tiny int8 model with its inputs: one-headed, and with the features."""
    fixture = {"scores": "tiny_models", "heatmap": "tiny_heatmaps"}[request.param]
    model = request.getfixturevalue(fixture) / "int8.tflite"
    return write_case(work / request.param, name=request.param, model=model)


def in_python(case: Case) -> list[bytes]:
    """What the device runtime gives, as a row gives it."""
    interpreter = open_interpreter(case.model.read_bytes(), name=case.name, threads=1)
    outputs: list[list[NDArray[Any]]] = []
    for image in case.images():
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[np.newaxis])
        interpreter.invoke()
        indices = [output["index"] for output in interpreter.get_output_details()]
        outputs.append([interpreter.get_tensor(index) for index in indices])
    return [np.concatenate(tensors).tobytes() for tensors in zip(*outputs, strict=True)]


@pytest.mark.parametrize("name", RUNS)
def test_the_int8_file_gives_the_same_bits_in_the_browser(
    name: str, case: Case, work: Path
) -> None:
    answer = RUNS[name](case.folder, work)
    assert "outputs" in answer, answer
    assert [base64.b64decode(output) for output in answer["outputs"]] == in_python(case)
    assert answer["version"] == versions()[answer["runtime"]]
    assert answer["ms"] > 0
    assert answer["blocked"] == ([REPORTS_TO] if name == "tasks-vision" else [])


@pytest.mark.parametrize("name", ["LiteRT.js", "tasks-vision"])
def test_a_damaged_file_is_refused(name: str, tiny_models: Path, work: Path) -> None:
    case = write_case(work / "damaged", name="damaged", model=tiny_models / "int8.tflite")
    case.model.write_bytes(case.model.read_bytes()[:2000])
    answer = RUNS[name](case.folder, work)
    assert answer["refused"]
    assert "outputs" not in answer


def test_without_a_browser_or_npm_the_rows_are_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    for row in rows():
        assert "chromium" in row.run(tmp_path, tmp_path)["unavailable"]
    with pytest.raises(EdgeclfError, match="npm on the PATH"):
        installed_packages(tmp_path)


def test_scores_are_computed_back_to_steps() -> None:
    tensor = OutputTensor("uint8", (1, 3), 1 / 256, 0)
    scores = np.array([0, 77 / 256, 255 / 256], np.float32)
    assert quantized(scores, tensor).tolist() == [0, 77, 255]
    with pytest.raises(EdgeclfError, match="between the steps"):
        quantized(np.array([0.5 / 256], np.float32), tensor)


@pytest.fixture(scope="module")
def site(tiny_run: Path, tiny_models: Path, work: Path) -> Path:
    """A folder that is served: the pages of the document, a model, and a photograph."""
    folder = work / "site"
    folder.mkdir()
    shutil.copyfile(tiny_models / "int8.tflite", folder / "model.tflite")
    shutil.copyfile(tiny_run / "labels.txt", folder / "labels.txt")
    image = write_case(
        work / "photograph", name="photograph", model=folder / "model.tflite"
    ).images()[0]
    cv2.imwrite(str(folder / "photograph.png"), image[..., ::-1])
    pages = re.findall(r"^```html\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert len(pages) == 2
    for number, page in enumerate(pages):
        (folder / f"{number}.html").write_text(page)
    return folder


@pytest.fixture(scope="module")
def page(executable: str) -> Iterator[Page]:
    with open_browser(executable) as tab:
        yield tab


@pytest.mark.parametrize("number", [0, 1])
def test_the_pages_of_the_document_classify(
    number: int, site: Path, page: Page, work: Path
) -> None:
    page.errors.clear()
    folders = {"": site, "node_modules": installed_packages(work)}
    with serve(folders) as address:
        page.open(f"{address}/{number}.html")
        label, score = page.until("document.querySelector('output')?.textContent").rsplit(" ", 1)
        page.open("about:blank")
    image = cv2.imread(str(site / "photograph.png"))[..., ::-1]
    [best] = Classifier(site / "model.tflite").classify(np.ascontiguousarray(image), top=1).top
    assert (label, float(score)) == best


def test_the_lock_names_the_pins_and_no_registry() -> None:
    folder = Path(installed_packages.__code__.co_filename).parent
    text = (folder / "package-lock.json").read_text()
    assert "http" not in text
    assert json.loads(text)["packages"][""]["dependencies"] == versions()
