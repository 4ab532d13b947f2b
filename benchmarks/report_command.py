"""`edgeclf benchmark report`: a kept result as a page or as Markdown; and the options for both."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.files import check_file
from .report.markdown import write_markdown
from .results.reading import read_benchmark
from .results.schema import Benchmark


def report_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --report and --markdown, as `report_file` and `markdown_file`."""
    path = click.Path(path_type=Path, dir_okay=False)
    for flag, kind in (("markdown", "Markdown"), ("report", "HTML")):
        option = click.option(
            f"--{flag}",
            f"{flag}_file",
            type=path,
            metavar="FILE",
            help=f"{kind} file to write the report to.",
        )
        command = option(command)
    return command


def check_reports(report_file: Path | None, *files: Path | None) -> None:
    """Refuse, before anything is measured, an HTML report without Jinja2 and a missing folder."""
    if report_file:
        from .report import page  # noqa: F401

    for file in (report_file, *files):
        if file:
            check_file(file)


def write_reports(
    benchmark: Benchmark,
    *,
    report_file: Path | None,
    markdown_file: Path | None,
    images: Path | None = None,
) -> None:
    """Write what was asked for; `images` is where they lie, if not where they were measured."""
    if report_file:
        from .report.page import write_page

        write_page(report_file, benchmark, images=images)
    if markdown_file:
        write_markdown(markdown_file, benchmark)


@click.command()
@click.argument("result", metavar="RESULT.json", type=click.Path(path_type=Path))
@report_options
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="FOLDER",
    help="Folder of the images, if moved or if RESULT.json is from another machine.",
)
def report(
    result: Path, report_file: Path | None, markdown_file: Path | None, data: Path | None
) -> None:
    """Show RESULT.json, which `edgeclf benchmark --json` wrote, as a page for people.

    \b
    edgeclf benchmark report result.json --report result.html --markdown result.md
    """
    wanted = [path for path in (report_file, markdown_file) if path]
    if not wanted:
        raise EdgeclfError("nothing to write; add --report FILE.html or --markdown FILE.md")
    check_reports(report_file, markdown_file)
    write_reports(
        read_benchmark(result), report_file=report_file, markdown_file=markdown_file, images=data
    )
    for path in wanted:
        click.echo(path)
