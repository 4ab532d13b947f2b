"""`edgeclf export web`: a folder that any web server can serve."""

import threading
from pathlib import Path

import click

from .packages import VERSION, litert_files
from .server import serve
from .site import write_site

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("model", type=_PATH)
@click.option("--out", required=True, type=_PATH, help="New folder for the page.")
@click.option("--name", help="Title of the page. [default: MODEL's name]")
@click.option(
    "--offline", is_flag=True, help="Take LiteRT.js from the cache of an earlier export only."
)
@click.option(
    "--serve", "serving", is_flag=True, help="Serve the page on this machine for a trial."
)
def web(model: Path, out: Path, name: str | None, offline: bool, serving: bool) -> None:
    """Export MODEL as a web page that looks through a phone's camera.

    The page runs the same file by LiteRT.js in WebAssembly, on the device that opens it: pictures
    do not leave that device, and after the first visit it needs no network. Any host of static
    files will do; a camera needs HTTPS or localhost.
    """
    site = write_site(
        model, out=out, name=name or model.stem, runtime=litert_files(offline=offline)
    )
    click.echo(
        f"{out}: {site.files} files of {site.size / 1e6:.1f} MB with LiteRT.js {VERSION}; a first "
        f"visit loads {site.first_visit / 1e6:.1f} MB"
    )
    if not serving:
        click.echo("A camera needs HTTPS or localhost; see docs/device/browser.md")
        return
    with serve({"": out}) as address:
        click.echo(f"Serving {address}/ until Ctrl-C")
        threading.Event().wait()
