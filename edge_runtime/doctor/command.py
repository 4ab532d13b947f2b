"""`edgeclf doctor`: what is wrong with this machine, and the mend."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import click

from ..command_line.accelerator import accelerator_option
from ..errors import EdgeclfError
from ..live.sources.address import without_secrets
from .camera import camera_checks
from .check import Check
from .machine import machine_checks
from .model import model_checks
from .software import software_checks

REPORT_SCHEMA = 1

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": None}


@click.command()
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option(
    "--camera", metavar="SOURCE", help="Camera to test by taking a picture: 0, /dev/video0, a URL."
)
@accelerator_option
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
@click.pass_context
def doctor(
    ctx: click.Context, model: Path | None, camera: str | None, accelerator: str, as_json: bool
) -> None:
    """Check this machine, and MODEL and a camera on it: each line is ok, or has the mend.

    The exit code is 1 if something failed; a warning is no failure.

    \b
    edgeclf doctor
    edgeclf doctor int8.tflite --camera 0
    """
    if accelerator != "cpu" and model is None:
        raise EdgeclfError("--accelerator: it is tried on a model; give MODEL, too")
    checks: list[Check] = []
    for found in _checks(model, camera, accelerator):
        # A camera given as the model, say, is an address in the model's error.
        check = replace(found, detail=without_secrets(found.detail))
        checks.append(check)
        if not as_json:
            click.echo(_line(check))
    failed, warnings = (
        sum(check.state == state for check in checks) for state in ("failed", "warning")
    )
    if as_json:
        report = {
            "schema": REPORT_SCHEMA,
            "passed": not failed,
            "checks": [asdict(check) for check in checks],
        }
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        click.echo(f"{len(checks)} checks: {failed} failed, {warnings} with a warning")
    ctx.exit(1 if failed else 0)


def _checks(model: Path | None, camera: str | None, accelerator: str) -> Iterator[Check]:
    yield from software_checks()
    yield from machine_checks(Path.cwd())
    if model is not None:
        yield from model_checks(model, accelerator=accelerator)
    yield from camera_checks(camera)


def _line(check: Check) -> str:
    state = click.style(f"{check.state:<7}", fg=_COLOURS[check.state])
    mend = f"\n{'':9}mend: {check.mend}" if check.mend else ""
    return f"{state}  {check.name:<11}  {check.detail}{mend}"
