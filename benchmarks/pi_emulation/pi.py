"""A Raspberry Pi without a Raspberry Pi: the wheel on an emulated Pi 4 and Pi 5.

    python benchmarks/pi_emulation/pi.py [--model NAME] [--update-budgets]
    python benchmarks/pi_emulation/pi.py --file MODEL.tflite [--file OTHER.tflite]

Builds the wheel, sets up an arm64 system under QEMU in --work, installs the wheel there, makes the
models, and runs them. The system and the models are kept for later runs. See docs/develop/pi.md.
"""

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import cv2
import numpy as np

from edgeclf.benchmarks.pi_emulation.boards import BOARDS, Board
from edgeclf.benchmarks.pi_emulation.budgets import (
    BUDGETS,
    over_budget,
    read_budgets,
    update_budgets,
)
from edgeclf.benchmarks.pi_emulation.cache import alone_in, keep_folder
from edgeclf.benchmarks.pi_emulation.debian import UnavailableError
from edgeclf.benchmarks.pi_emulation.emulator import Emulator
from edgeclf.benchmarks.pi_emulation.measure import Measurement, count_inference, measure
from edgeclf.benchmarks.pi_emulation.report import markdown_table, text_table
from edgeclf.benchmarks.pi_emulation.subjects import (
    MODELS,
    RECIPES,
    make_model,
    model_file,
    photographs,
)
from edgeclf.benchmarks.pi_emulation.subjects import pins as model_pins
from edgeclf.benchmarks.pi_emulation.system import (
    build_wheel,
    check_machine,
    install,
    keep_system,
)
from edgeclf.edge_runtime.command_line.table import format_table
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.files import write_json
from edgeclf.edge_runtime.tflite.interpreter import runtime_name

_PATH = click.Path(path_type=Path)


@click.command(context_settings={"show_default": True})
@click.option(
    "--model",
    "models",
    multiple=True,
    default=MODELS,
    type=click.Choice(MODELS),
    help="Model to measure; repeatable.",
)
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Model file of which only the instructions are counted, in place of --model; repeatable.",
)
@click.option("--json", "json_file", type=_PATH, help="JSON file to write all figures to.")
@click.option("--markdown", is_flag=True, help="Print the table in Markdown.")
@click.option(
    "--update-budgets",
    "updates",
    is_flag=True,
    help="Write the measured counts as the new budgets.",
)
@click.option(
    "--work",
    default=Path.home() / ".cache" / "edgeclf-pi",
    type=_PATH,
    help="Folder for the emulated system and the models, used again by later runs.",
)
def main(
    models: tuple[str, ...],
    files: tuple[Path, ...],
    json_file: Path | None,
    markdown: bool,
    updates: bool,
    work: Path,
) -> None:
    """Run the models on an emulated Pi 4 and Pi 5, check them there and count instructions."""
    if files and (json_file or markdown or updates):
        raise click.UsageError(
            "--file prints its counts alone; leave out --json, --markdown and --update-budgets"
        )
    check_machine()
    work = work.absolute()
    with alone_in(work), TemporaryDirectory(prefix="edgeclf-pi-") as installed:
        system = work / "system"
        keep_system(system, BOARDS)
        wheel = build_wheel(Path(installed))
        install("--no-deps", "--offline", wheel, into=Path(installed) / "site")
        emulator = Emulator(system, Path(installed) / "site")
        if files:
            click.echo(_counted(emulator, files))
            return
        subjects = {model: _subject(work, model) for model in models}
        measured = _measure(emulator, subjects)
    click.echo((markdown_table if markdown else text_table)(measured))
    if json_file is not None:
        results = [asdict(one) for one in measured]
        write_json(json_file, {"schema": 1, "runtime": runtime_name(), "measured": results})
    if updates:
        update_budgets(measured)
        click.echo(f"{BUDGETS}: updated")
    exceeded = over_budget(measured, read_budgets())
    if exceeded:
        raise EdgeclfError("\nError: ".join(exceeded))


def _counted(emulator: Emulator, files: Sequence[Path]) -> str:
    """Return a table of the instructions of files, and of their ratios to those of the first."""
    rows = []
    with TemporaryDirectory(prefix="edgeclf-pi-") as folder:
        image = Path(folder) / "noise.png"
        pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        cv2.imwrite(str(image), pixels)
        for board in BOARDS:
            counts = [
                count_inference(emulator, board, file=file.absolute(), image=image)
                for file in files
            ]
            rows += [
                [str(file), board.title, f"{count / 1e6:.2f}", f"{count / counts[0]:.3f}"]
                for file, count in zip(files, counts, strict=True)
            ]
    return format_table(["file", "board", "M instructions", "to the first"], rows)


def _subject(work: Path, model: str) -> Path:
    """Return the folder of a model, which is made if need be."""
    folder = work / "models" / model
    keep_folder(
        folder,
        f"Converting {model}",
        pins=model_pins(),
        make=lambda empty: make_model(model, empty),
    )
    return folder


def _measure(emulator: Emulator, subjects: dict[str, Path]) -> list[Measurement]:
    """Measure every model on every board, the boards side by side."""
    first = next(iter(subjects.values()))
    # This compiles the bytecode, which pip does on a board.
    emulator.python(
        BOARDS[0], "-m", "edgeclf", "run", model_file(first, RECIPES[0]), *photographs(first)
    )

    def on_board(board: Board) -> Sequence[Measurement]:
        measured = []
        for model, subject in subjects.items():
            for recipe in RECIPES:
                click.echo(f"Running {model} {recipe} on {board.title}", err=True)
                measured.append(
                    measure(emulator, board, model=model, recipe=recipe, subject=subject)
                )
        return measured

    with ThreadPoolExecutor(len(BOARDS)) as pool:
        found = [one for board in pool.map(on_board, BOARDS) for one in board]
    return sorted(found, key=lambda one: list(subjects).index(one.model))


if __name__ == "__main__":
    try:
        main()
    except UnavailableError as error:
        click.echo(f"Not available: {error}", err=True)
        sys.exit(os.EX_UNAVAILABLE)
    except EdgeclfError as error:
        sys.exit(f"Error: {error}")
