"""`edgeclf service`: a model on a camera from boot on, printed or installed as a systemd unit."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from ..cameras import find_camera
from ..command_line.accelerator import say_acceleration
from ..command_line.warning import echo_warning
from ..errors import EdgeclfError
from ..files import write_text
from ..images import is_image
from ..live.run import check_live
from ..model_file.container import read_model
from ..run_command import is_live, run
from ..sources import find_files
from .private import take_out_secrets, warning, write_environment
from .unit import ENVIRONMENTS, Service, is_below_home, unit_text

_UNITS = Path("/etc/systemd/system")
# There where systemd runs the machine: sd_booted(3).
_BOOTED = Path("/run/systemd/system")
# Emptied at each start, and hidden by PrivateTmp=.
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))


@click.command(context_settings={"ignore_unknown_options": True, "show_default": True})
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("source")
@click.argument("options", metavar="[RUN OPTIONS]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--install", is_flag=True, help=f"Write the unit to {_UNITS}; needs root.")
@click.option(
    "--name", default="edgeclf", help="Name of the service and of the folder below /var/lib."
)
@click.option("--memory-max", metavar="SIZE", help="Limit of the service's memory, such as 512M.")
def service(
    model: Path,
    source: str,
    options: tuple[str, ...],
    install: bool,
    name: str,
    memory_max: str | None,
) -> None:
    """Print a systemd unit that runs MODEL on the camera SOURCE from boot on.

    RUN OPTIONS are those of `edgeclf run`, which the unit calls. Relative paths among them lie in
    /var/lib/NAME, the one place where the service may write. It is started again when it fails,
    and when no fresh frame was classified for a minute.

    \b
    edgeclf service int8.tflite /dev/video0 --threshold 0.6
    sudo edgeclf service int8.tflite /dev/video0 --threshold 0.6 --install
    edgeclf service int8.tflite secret:EDGECLF_CAMERA    # the address is in /etc/edgeclf/NAME.env
    """
    if source.startswith("-"):
        raise EdgeclfError(f"{source}: an option in place of SOURCE; give MODEL and SOURCE first")
    read_model(model)  # by the name that was given: an address of a camera is known in an error
    model = _absolute(model)
    _check_readable(model)
    camera = find_camera(source)
    if camera is None and is_image(Path(source)):
        raise EdgeclfError(f"{source}: a photograph, which soon is classified; give a camera")
    if camera is None and Path(source).exists():
        source = str(_absolute(Path(source)))
    words = take_out_secrets(source, camera, options)
    wanted = Service(
        name=name,
        model=model,
        source=words.source,
        camera=camera,
        options=words.options,
        memory_max=memory_max,
    )
    text = unit_text(replace(wanted, accelerator=_check_options(wanted, options)))
    environment = ENVIRONMENTS / f"{name}.env"
    if install:
        _check_root()
    if words.secrets:
        if install:
            write_environment(environment, words.secrets)
        text_of_it = warning(words, path=environment, written=install)
        echo_warning(text_of_it)
    if install:
        click.echo(install_unit(text, name=name))
    else:
        click.echo(text, nl=False)


def install_unit(text: str, *, name: str) -> str:
    """Write the unit, let systemd read it, and return what to do next.

    Raises:
        EdgeclfError: this is not root's process, or systemd does not run here.
    """
    _check_root()
    unit = _UNITS / f"{name}.service"
    known = unit.exists()
    write_text(unit, text)
    done = subprocess.run(
        ["systemctl", "daemon-reload"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise EdgeclfError(
            f"{unit} is written, but `systemctl daemon-reload` failed ({reason}); run it again"
        )
    again = f" && systemctl restart {name}" if known else ""
    return (
        f"{unit} is written\n"
        f"next: systemctl enable --now {name}{again}\n"
        f"then: systemctl status {name}; journalctl -fu {name}"
    )


def _check_root() -> None:
    if not _BOOTED.is_dir() or shutil.which("systemctl") is None:
        raise EdgeclfError(
            "systemd does not run this machine; without --install the unit is printed, to be "
            "installed elsewhere"
        )
    if os.geteuid() != 0:
        raise EdgeclfError(f"{_UNITS}: only root can write there; sudo {sys.argv[0]} service …")


def _check_readable(model: Path) -> None:
    for folder in _TEMPORARY:
        if folder in model.parents:
            raise EdgeclfError(
                f"{model}: {folder} is emptied at each start; move the model, to /var/lib say"
            )
    # What is bound from a home is found regardless of its folders' permissions.
    folders = [] if is_below_home(model) else [*model.parents]
    for path, right, mend in (
        (model, stat.S_IROTH, "a+r"),
        *((folder, stat.S_IXOTH, "a+x") for folder in folders),
    ):
        if not path.stat().st_mode & right:
            raise EdgeclfError(
                f"{model}: the service runs as a user of its own, who may not read it; "
                f"chmod {mend} {path}"
            )


def _check_options(wanted: Service, options: tuple[str, ...]) -> str:
    """Complain now of what `edgeclf run` would complain of at each start, by its own checks.

    Returns:
        The value of --accelerator, which is tried here and now.
    """
    given = run.make_context("edgeclf run", [str(wanted.model), wanted.source, *options]).params
    sources, live = given["sources"], given["live"]
    if len(sources) > 1:
        raise EdgeclfError(f"{len(sources)} sources to watch: give one; or quote a blank")
    if live is not None and live.watch:
        raise EdgeclfError(
            "--watch: not for a service, which systemd starts again when no frame comes for a "
            "minute, and an idle folder gives none; watch the folder without systemd's watchdog"
        )
    if not is_live(sources, live):
        find_files(sources)
        raise EdgeclfError(
            f"{wanted.source}: no camera, and a service ends once files are classified; give a "
            "camera, or a video with --realtime"
        )
    checked = ["model", "sources", "live", "heatmaps", "threshold", "novelty_threshold"]
    accelerator = _check_accelerator(given["accelerator"], name=wanted.name)
    checked += ["threads", "runtime", "accelerator"]
    live_run = check_live(**{name: given[name] for name in checked})
    say_acceleration(live_run.classifier.acceleration)
    _check_written(wanted.name, live.written if live is not None else ())
    return accelerator


def _check_accelerator(value: str, *, name: str) -> str:
    library = value.partition(";")[0]
    if not Path(library).is_absolute() and Path(library).exists():
        raise EdgeclfError(
            f"--accelerator {library}: the service starts in /var/lib/{name}; give an absolute path"
        )
    return value


def _check_written(name: str, paths: Sequence[Path]) -> None:
    state = Path("/var/lib") / name
    for path in paths:
        inside = Path(os.path.normpath(state / path))
        if state not in (inside, *inside.parents):
            raise EdgeclfError(
                f"{path}: the service may write below {state} alone; give a relative path "
                "without .., which lies there"
            )


def _absolute(path: Path) -> Path:
    """Return `path` from the root on; systemd takes none with `..`, and a link stays one."""
    absolute = path.absolute()
    return absolute.parent.resolve() / absolute.name if ".." in absolute.parts else absolute
