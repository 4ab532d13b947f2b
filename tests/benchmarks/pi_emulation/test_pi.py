"""A Raspberry Pi without a Raspberry Pi: the wheel on emulated boards, and what guards the harness.

Where the emulation cannot be had (no Debian, no compiler, no network) its run is skipped.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from repository import REPOSITORY
from schemas import valid_file
from skips import require_program, skip_without

from edgeclf.benchmarks.demo.surfaces import write_surfaces
from edgeclf.benchmarks.pi_emulation.boards import BOARDS, Board
from edgeclf.benchmarks.pi_emulation.budgets import over_budget, read_budgets, update_budgets
from edgeclf.benchmarks.pi_emulation.cache import keep_folder
from edgeclf.benchmarks.pi_emulation.emulator import Emulator, Ran
from edgeclf.benchmarks.pi_emulation.measure import Measurement, count_inference, measure
from edgeclf.benchmarks.pi_emulation.probe import probe
from edgeclf.benchmarks.pi_emulation.report import markdown_table, text_table
from edgeclf.benchmarks.pi_emulation.subjects import MODELS, RECIPES
from edgeclf.benchmarks.pi_emulation.system import UnavailableError, check_machine
from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.images import read_image

FLOAT32 = Measurement(
    model="net",
    recipe="float32",
    board="pi5",
    inference=1_000_000_000,
    start=700_000_000,
    peak_bytes=100_400_000,
    delegated_parts=1,
    values=12,
    different=3,
    largest_difference=3e-8,
)
INT8 = replace(FLOAT32, recipe="int8", inference=300_000_000, different=0, largest_difference=0.0)


def run_pi(
    *options: str | Path, path: str | None = None, work: Path | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, REPOSITORY / "benchmarks/pi_emulation/pi.py", *options]
    if work is not None:
        command += ["--work", work]
    env = os.environ | ({} if path is None else {"PATH": path})
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def emulation() -> None:
    """Skip where no emulated system can be made."""
    require_program("gcc")
    try:
        check_machine()
    except UnavailableError as error:
        skip_without("emulation", str(error))


@pytest.mark.usefixtures("emulation")
def test_the_wheel_runs_on_both_boards_as_it_does_here(tiny_models: Path, tmp_path: Path) -> None:
    done = run_pi("--model", "densenet-tiny", "--json", tmp_path / "pi.json")
    if done.returncode == os.EX_UNAVAILABLE:
        line = done.stderr.strip().splitlines()[-1]
        skip_without("network" if "no connection" in line else "emulation", line)
    assert done.returncode == 0, done.stderr
    measured = valid_file("models/raspberry-pi", tmp_path / "pi.json")["measured"]
    seen = {(one["board"], one["recipe"]): one for one in measured}
    assert set(seen) == {(board.name, recipe) for board in BOARDS for recipe in RECIPES}
    for one in measured:
        assert one["delegated_parts"] > 0
        assert one["values"] == 12
        assert 30e6 < one["peak_bytes"] < 300e6
        assert one["start"] > 100 * one["inference"]
    assert seen["pi4", "int8"]["different"] == seen["pi5", "int8"]["different"] == 0
    # Only the Pi 5 has the dot product, which is what makes int8 cheap.
    assert seen["pi5", "int8"]["inference"] < 0.8 * seen["pi4", "int8"]["inference"]
    assert all(f"{board.title} ({board.cpu})" in done.stdout for board in BOARDS)
    done = run_pi("--file", tiny_models / "int8.tflite")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[2:]]
    assert [row[1:3] for row in rows] == [board.title.split() for board in BOARDS]
    assert all(0.1 < float(row[3]) < 1 and row[4] == "1.000" for row in rows)


@dataclass(frozen=True)
class PretendedBoard:
    """Answers as a Pi 4 would, but for what `seen`, `answer` and `counts` put in its place."""

    seen: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    counts: tuple[int, ...] = (10, 90, 100, 150, 160, 210, 220)

    def python(self, board: Board, *arguments: str | Path) -> Ran:
        if arguments[:3] == ("-m", "edgeclf", "run"):
            photograph = read_image(Path(arguments[4]))
            label = Classifier(Path(arguments[3]), threads=1).classify(photograph).label
            return Ran(json.dumps({"label": label} | self.answer), (1000,))
        shown = probe(Path(arguments[1]), [Path(name) for name in arguments[2:]])
        shown |= {"cpu_part": board.part, "has_dot_product": False}
        return Ran(json.dumps(shown | self.seen), self.counts)


@pytest.fixture(scope="module")
def subject(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("subject")
    shutil.copytree(tiny_models, folder / "models")
    write_surfaces(folder / "photographs", per_class=1, size=48, seed=1)
    return folder


def measure_pretended(board: PretendedBoard, subject: Path) -> Measurement:
    emulator = cast(Emulator, board)
    return measure(emulator, BOARDS[0], model="densenet-tiny", recipe="int8", subject=subject)


def test_the_second_inference_is_what_counts(subject: Path) -> None:
    measured = measure_pretended(PretendedBoard(), subject)
    assert (measured.inference, measured.start, measured.different) == (50, 1000, 0)
    emulator, file = cast(Emulator, PretendedBoard()), subject / "models" / "int8.tflite"
    image = next((subject / "photographs").rglob("*.png"))
    assert count_inference(emulator, BOARDS[0], file=file, image=image) == 50
    elsewhere = cast(Emulator, PretendedBoard(seen={"cpu_part": 0xD0B}))
    with pytest.raises(EdgeclfError, match="is no cortex-a72"):
        count_inference(elsewhere, BOARDS[0], file=file, image=image)


@pytest.mark.parametrize(
    ("board", "complaint"),
    [
        (PretendedBoard(seen={"delegated_parts": 0}), "XNNPACK is not active"),
        (PretendedBoard(seen={"cpu_part": 0xD0B}), "is no cortex-a72"),
        (PretendedBoard(seen={"has_dot_product": True}), "with the dot product"),
        (PretendedBoard(seen={"self_test": False}), "the self-test that the file carries fails"),
        (PretendedBoard(seen={"outputs": [[0] * 4] * 3}), "values are not those of x86-64"),
        (PretendedBoard(answer={"label": "rust"}), "edgeclf run says 'rust'"),
        (PretendedBoard(counts=(10, 90, 100, 150, 160, 211, 220)), "not repeatable: 50, 51"),
    ],
)
def test_a_board_that_goes_astray_is_noticed(
    subject: Path, board: PretendedBoard, complaint: str
) -> None:
    with pytest.raises(EdgeclfError, match=complaint) as error:
        measure_pretended(board, subject)
    assert str(error.value).startswith("densenet-tiny int8 on Pi 4: ")


def test_every_model_has_budgets() -> None:
    budgets = read_budgets()
    for model in MODELS:
        for recipe in RECIPES:
            for board in BOARDS:
                assert set(budgets[model][recipe][board.name]) == {"inference", "start"}


def test_growth_of_over_two_percent_is_named_with_its_mend(tmp_path: Path) -> None:
    path = tmp_path / "budgets.json"
    update_budgets([FLOAT32, INT8], path)
    budgets = read_budgets(path)
    assert over_budget([FLOAT32, replace(INT8, inference=305_900_000)], budgets) == []
    [line] = over_budget([replace(INT8, inference=306_300_000)], budgets)
    assert line == (
        "net int8 on Pi 5: 306.300 million instructions per inference, 2.1% over its budget of "
        "300.000 million instructions (2% allowed); make it cheaper, or accept it: "
        "make pi PI=--update-budgets"
    )
    [line] = over_budget([replace(INT8, start=800_000_000)], budgets)
    assert "800.000 million instructions from start to answer, 14.3% over" in line


def test_a_model_without_a_budget_fails_and_an_update_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "budgets.json"
    update_budgets([FLOAT32], path)
    lines = over_budget([FLOAT32, INT8], read_budgets(path))
    assert len(lines) == 2
    assert all("net int8 on Pi 5" in line and "without a budget" in line for line in lines)
    update_budgets([INT8], path)
    assert over_budget([FLOAT32, INT8], read_budgets(path)) == []


def test_the_tables_show_what_was_measured() -> None:
    row = ["net", "Pi 5 (cortex-a76)", "int8", "300.00", "0.300", "700.0", "100", "1"]
    assert text_table([FLOAT32, INT8]).splitlines()[-1].split("  ")[0] == "net"
    assert markdown_table([FLOAT32, INT8]).splitlines()[-1] == (
        f"| {' | '.join([*row, 'bit for bit'])} |"
    )
    assert "| to 3e-08 |" in markdown_table([FLOAT32])


def test_a_folder_is_made_once_and_again_when_its_pins_change(tmp_path: Path) -> None:
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "file").write_text(str(len(made)))

    for pins in ("1", "1", "2"):
        keep_folder(tmp_path / "kept", "Making", pins=[pins], make=make)
    assert len(made) == 2
    assert (tmp_path / "kept/file").read_text() == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_half_made_folder_is_never_taken_for_the_whole(tmp_path: Path) -> None:
    # As a killed set-up leaves it: os._exit runs no handler.
    code = """
import os, sys
from pathlib import Path
from edgeclf.benchmarks.pi_emulation.cache import keep_folder
def make(folder):
    (folder / "half").touch()
    os._exit(9)
keep_folder(Path(sys.argv[1]), "Making", pins=["1"], make=make)
"""
    kept = tmp_path / "kept"
    killed = subprocess.run([sys.executable, "-c", code, kept], check=False, cwd="/")
    assert killed.returncode == 9
    assert not kept.exists()
    keep_folder(kept, "Making", pins=["1"], make=lambda folder: (folder / "whole").touch())
    assert {path.name for path in kept.iterdir()} == {"whole", "made-from.txt"}
    assert not kept.with_name("kept.part").exists()


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    def make(_folder: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(EdgeclfError, match=r"kept: cannot be made \(No space left on device\); "):
        keep_folder(tmp_path / "kept", "Making", pins=["1"], make=make)
    assert not (tmp_path / "kept").exists()


def test_what_counts_of_files_do_not_have_is_refused(tiny_models: Path, tmp_path: Path) -> None:
    for option in (("--json", tmp_path / "pi.json"), ("--markdown",), ("--update-budgets",)):
        result = run_pi("--file", tiny_models / "int8.tflite", *option, work=tmp_path)
        assert result.returncode == 2
        assert "leave out --json, --markdown and --update-budgets" in " ".join(
            result.stderr.split()
        )


def test_a_machine_without_the_tools_is_reported_so(tmp_path: Path) -> None:
    done = run_pi(path=str(tmp_path), work=tmp_path / "work")
    [line] = done.stderr.splitlines()
    assert line.startswith("Not available: ")
    assert done.returncode == os.EX_UNAVAILABLE


@pytest.mark.usefixtures("emulation")
@pytest.mark.parametrize(
    ("apt_says", "code", "shown"),
    [
        ("E: Failed to fetch http://x  Could not resolve 'x'", os.EX_UNAVAILABLE, "no connection"),
        ("E: Unable to locate package qemu-user", 1, "apt-get update ended with 100: E: Unable"),
    ],
)
def test_an_absent_network_is_distinct_from_a_broken_harness(
    tmp_path: Path, apt_says: str, code: int, shown: str
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    apt = tools / "apt-get"
    apt.write_text(f'#!/bin/sh\necho "{apt_says}" >&2\nexit 100\n')
    apt.chmod(apt.stat().st_mode | stat.S_IXUSR)
    done = run_pi(path=f"{tools}:{os.environ['PATH']}", work=tmp_path / "work")
    if "the emulation needs" in done.stderr:
        skip_without("emulation", done.stderr.strip())
    assert done.returncode == code, done.stderr
    assert shown in done.stderr.splitlines()[-1]
    assert not (tmp_path / "work/system").exists()
