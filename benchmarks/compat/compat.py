"""The files in every runtime that people have: `make compat`.

    python benchmarks/compat/compat.py [--models FOLDER] [--row TEXT] [--json FILE] [--markdown]

    models.py       the files: int8 one-headed, with features and a heatmap; other recipes
    cases.py        each with the inputs of its self-test, as any runtime can read them
    rows.py         what a row of the table is; interpreters.py, mediapipe_rows.py, pi.py,
                    vela_rows.py: the rows, environments.py: where they run
    comparison.py   bit-equal, last bit, refused, …; each row says what must hold of it
    table.py        the table

What is not as it must be is a line of its own, and the exit code is 1. See docs/device/runtimes.md.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from edgeclf import __version__
from edgeclf.benchmarks.compat import interpreters, mediapipe_rows, pi, vela_rows
from edgeclf.benchmarks.compat.browser import rows as browser_rows
from edgeclf.benchmarks.compat.cases import Case
from edgeclf.benchmarks.compat.comparison import Outcome, run_row
from edgeclf.benchmarks.compat.models import MODELS, make_models, write_cases
from edgeclf.benchmarks.compat.rows import Row
from edgeclf.benchmarks.compat.table import deviations, markdown_table, text_table
from edgeclf.benchmarks.pi_emulation.cache import alone_in
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.files import sha256_of, write_json

SCHEMA = 1

# In the order of the table.
PROVIDERS: tuple[Callable[[], list[Row]], ...] = (
    interpreters.rows,
    mediapipe_rows.rows,
    browser_rows.rows,
    pi.rows,
    vela_rows.rows,
)

_PATH = click.Path(path_type=Path)


@click.command(context_settings={"show_default": True})
@click.option(
    "--models",
    "folder",
    type=_PATH,
    help="Folder of .tflite files to run. [default: newly converted]",
)
@click.option(
    "--row",
    "wanted",
    multiple=True,
    metavar="TEXT",
    help="Name or part of the name of a row to run; repeatable.",
)
@click.option("--json", "json_file", type=_PATH, help="JSON file of all results.")
@click.option("--markdown", is_flag=True, help="Print the table in Markdown.")
@click.option(
    "--work",
    default=Path.home() / ".cache" / "edgeclf-compat",
    type=_PATH,
    help="Folder for environments and models, used again by later runs.",
)
def main(
    folder: Path | None, wanted: tuple[str, ...], json_file: Path | None, markdown: bool, work: Path
) -> None:
    """Run the files in every runtime, and compare what they give bit by bit."""
    work = work.absolute()
    rows = choose_rows([row for provider in PROVIDERS for row in provider()], wanted)
    with alone_in(work):
        cases = _cases(folder, work)
        references = reference_outputs(cases, work)
        outcomes: dict[str, dict[str, Outcome]] = {}
        for row in rows:
            outcomes[row.name] = run_cases(row, cases, references, work)
            if json_file is not None:
                write_json(json_file, _record(rows, cases, outcomes))
    click.echo((markdown_table if markdown else text_table)(rows, cases, outcomes))
    wrong = deviations(outcomes)
    if wrong:
        raise EdgeclfError("\nError: ".join(wrong))


def choose_rows(rows: Sequence[Row], wanted: Sequence[str]) -> list[Row]:
    """Return the rows of these names or with one of the texts in theirs; all if there are none."""
    names = {row.name for row in rows}
    parts = [text.lower() for text in wanted if text not in names]
    chosen = [
        row
        for row in rows
        if not wanted or row.name in wanted or any(part in row.name.lower() for part in parts)
    ]
    if not chosen:
        known = "; ".join(row.name for row in rows)
        raise EdgeclfError(f"no row holds {', '.join(map(repr, wanted))}; known: {known}")
    return chosen


def reference_outputs(cases: Sequence[Case], work: Path) -> dict[str, dict[str, Any]]:
    """Return what the newest ai-edge-litert on this machine gives for each case, by its name."""
    row = interpreters.reference_row()
    return {case.name: row.run(case.folder, work) for case in cases}


def run_cases(
    row: Row, cases: Sequence[Case], references: dict[str, dict[str, Any]], work: Path
) -> dict[str, Outcome]:
    """Run the row on each case that it is for, one after the other."""
    outcomes = {}
    for case in cases:
        if row.expected_of(case.recipe) is not None:
            click.echo(f"{row.name}: {case.name}", err=True)
            outcomes[case.name] = run_row(row, case, references[case.name], work)
    return outcomes


def _cases(folder: Path | None, work: Path) -> list[Case]:
    if folder is not None:
        return write_cases(folder, work, name=folder.resolve().name)
    made = {name: make_models(name, work) for name in MODELS}
    cases = [case for name, files in made.items() for case in write_cases(files, work, name=name)]
    return sorted(cases, key=lambda case: case.recipe != "int8")


def _record(
    rows: Sequence[Row], cases: Sequence[Case], outcomes: dict[str, dict[str, Outcome]]
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "edgeclf_version": __version__,
        "reference": interpreters.reference_row().name,
        "cases": {
            case.name: {"recipe": case.recipe, "model_sha256": sha256_of(case.model)}
            for case in cases
        },
        "rows": {
            row.name: {
                "note": row.note,
                "cases": {name: asdict(one) for name, one in outcomes[row.name].items()},
            }
            for row in rows
            if row.name in outcomes
        },
    }


if __name__ == "__main__":
    try:
        main()
    except EdgeclfError as error:
        sys.exit(f"Error: {error}")
