"""The rows of emulated Pis in the compatibility table; the 32-bit one runs where it can be had."""

import base64
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from skips import skip_without

from edgeclf.benchmarks.compat import pi
from edgeclf.benchmarks.compat.cases import Case, write_case
from edgeclf.benchmarks.compat.rows import BIT_EQUAL, CLOSE
from edgeclf.benchmarks.pi_emulation.boards import BOARDS, BOARDS_32, Board
from edgeclf.benchmarks.pi_emulation.cache import alone_in
from edgeclf.benchmarks.pi_emulation.debian import UnavailableError
from edgeclf.benchmarks.pi_emulation.emulator import Emulator, Ran
from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.errors import EdgeclfError

PI_2 = BOARDS_32[0]
WORK = Path.home() / ".cache" / "edgeclf-compat"


@pytest.fixture(scope="module")
def case(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("case")
    return write_case(folder, name="densenet-tiny int8", model=tiny_models / "int8.tflite")


def outputs_here(case: Case) -> np.ndarray:
    classifier = Classifier(case.model, threads=1)
    interpreter = classifier.interpreter
    entry, exit_ = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    outputs = []
    for image in case.images():
        interpreter.set_tensor(entry["index"], image[np.newaxis])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(exit_["index"])[0])
    return np.stack(outputs)


def decoded(seen: dict[str, Any], like: np.ndarray) -> np.ndarray:
    values = np.frombuffer(base64.b64decode(seen["outputs"][0]), like.dtype)
    return values.reshape(like.shape)


def test_the_wheel_runs_on_a_32_bit_pi(case: Case) -> None:
    row = pi.rows()[-1]
    with alone_in(WORK):
        seen = row.run(case.folder, WORK)
        if "unavailable" in seen:
            skip_without("emulation", seen["unavailable"])
        emulator = Emulator(WORK / "pi-armhf", WORK / "pi-edgeclf")
        code = "import cv2, numpy, platform; print(platform.machine(), cv2.__version__)"
        assert emulator.python(PI_2, "-c", code).stdout.split() == ["armv7l", "4.6.0"]
    assert (seen["runtime"], seen["version"]) == ("tflite-runtime", "2.14.0")
    # It has no XNNPACK, so the last bit may differ, and no more.
    assert (row.expected, seen["delegated"], seen["ms"]) == (CLOSE, 0, None)
    here = outputs_here(case).astype(int)
    there = decoded(seen, outputs_here(case)).astype(int)
    assert np.abs(here - there).max() <= 1
    second, best = np.sort(here)[:, -2:].T
    clear = best - second > 2  # a last bit up or down decides between two that are nearer
    assert (here.argmax(1) == there.argmax(1))[clear].all()


def test_the_rows_are_the_oldest_and_newest_runtimes_on_three_boards() -> None:
    oldest, on_pi_4, on_pi_5, on_pi_2 = pi.rows()
    assert oldest.name.startswith("Pi 4 (aarch64, emulated), ai-edge-litert 1.")
    assert on_pi_4.name != oldest.name
    assert on_pi_5.name == on_pi_4.name.replace("Pi 4", "Pi 5")
    assert on_pi_2.name == "Pi 2 (armv7l, emulated), tflite-runtime 2.14.0"
    assert {row.expected for row in (oldest, on_pi_4, on_pi_5)} == {BIT_EQUAL}


def test_a_32_bit_board_describes_itself_as_its_kernel_does() -> None:
    cores = PI_2.cpuinfo().split("\n\n")
    assert len(cores) == 5
    assert cores[3].startswith("processor\t: 3\nmodel name\t: ARMv7 Processor rev 5 (v7l)\n")
    assert "CPU architecture: 7\n" in cores[0]
    assert "CPU part\t: 0xc07" in cores[0]
    assert cores[4] == "Revision\t: a01041\nModel\t\t: Raspberry Pi 2 Model B Rev 1.1\n"
    for board in BOARDS:
        assert "CPU architecture: 8\n" in board.cpuinfo()
        assert "model name" not in board.cpuinfo()


@dataclass
class PretendedEmulator:
    """Runs nothing: writes what the probe would have `seen`, and answers with `label` first."""

    seen: dict[str, Any]
    label: str
    ran: list[str] = field(default_factory=list)

    def python(self, _board: Board, *arguments: str | Path) -> Ran:
        if arguments[0] == "-m":
            self.ran.append(str(arguments[2]))
        else:
            Path(arguments[-1]).write_text(json.dumps(self.seen))
        return Ran(json.dumps({"top": [[self.label, 0.5]]}), ())


def run_pretended(emulator: PretendedEmulator, case: Case, work: Path) -> dict[str, Any]:
    return pi._run(cast(Emulator, emulator), PI_2, "tflite-runtime", case, work)


def test_a_row_also_runs_edgeclf_and_the_self_test(case: Case, tmp_path: Path) -> None:
    here = outputs_here(case)
    output = base64.b64encode(here.tobytes()).decode()
    seen = {"runtime": "tflite-runtime", "version": "2.14.0", "outputs": [output], "ms": 7.0}
    label = Classifier(case.model).spec.labels[int(here[0].argmax())]
    emulator = PretendedEmulator(seen, label)
    assert run_pretended(emulator, case, tmp_path) == seen | {"ms": None}
    assert emulator.ran == ["run", "inspect"]
    other = Classifier(case.model).spec.labels[int(here[0].argmin())]
    with pytest.raises(EdgeclfError, match=rf"says {other!r} first, and the outputs {label!r}"):
        run_pretended(replace(emulator, label=other), case, tmp_path)


def test_a_file_that_is_refused_is_not_run(case: Case, tmp_path: Path) -> None:
    refused = {"runtime": "tflite-runtime", "version": "2.14.0", "refused": "version 12"}
    emulator = PretendedEmulator(refused, "good")
    assert run_pretended(emulator, case, tmp_path) == refused
    assert emulator.ran == []


def test_a_machine_without_emulation_says_so(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def complain() -> None:
        raise UnavailableError("gcc not found")

    monkeypatch.setattr(pi, "check_machine", complain)
    for row in pi.rows():
        seen = row.run(case.folder, tmp_path)
        assert seen.keys() == {"runtime", "unavailable"}
        assert seen["unavailable"] == "gcc not found"
