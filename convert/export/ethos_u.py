"""`edgeclf export ethos-u`: a .tflite file compiled for Arm's Ethos-U NPUs, by Arm's own Vela."""

import csv
import re
import shutil
import subprocess
import sysconfig
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click

from ...edge_runtime.command_line.warning import echo_warning
from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.files import check_file
from ...edge_runtime.model_file.container import read_archive, write_model
from .source import read_source

TARGETS = (
    *(f"ethos-u55-{macs}" for macs in (32, 64, 128, 256)),
    *(f"ethos-u65-{macs}" for macs in (256, 512)),
    *(f"ethos-u85-{macs}" for macs in (128, 256, 512, 1024, 2048)),
)
_PATH = click.Path(path_type=Path)
_STORAGE = ("dram", "on_chip_flash", "off_chip_flash")
_OPERATORS = re.compile(r"^(CPU|NPU) operators = (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Compilation:
    """What Vela says of a compiled model; time and memory are its estimates for a default system.

    Attributes:
        target: the NPU, with its multiplications a cycle.
        vela: the compiler's version.
        npu_operators: operators that the NPU computes.
        cpu_operators: operators that are left to the CPU.
        milliseconds: of an inference.
        sram_kib: memory for what is between the layers, in KiB.
        storage_kib: flash or DRAM for the weights, in KiB.
    """

    target: str
    vela: str
    npu_operators: int
    cpu_operators: int
    milliseconds: float
    sram_kib: float
    storage_kib: float


@click.command("ethos-u", context_settings={"show_default": True})
@click.argument("model", type=_PATH)
@click.option("--out", required=True, type=_PATH, help="Path of the new .tflite file.")
@click.option(
    "--target",
    default="ethos-u55-256",
    type=click.Choice(TARGETS),
    metavar="NPU",
    help=f"NPU to compile for, of {', '.join(TARGETS)}.",
)
def ethos_u(model: Path, out: Path, target: str) -> None:
    """Compile MODEL, an int8 file, for an Ethos-U NPU.

    The result keeps labels and spec behind it, as MODEL has them. Only a runtime with the driver of
    that NPU computes it.
    """
    compilation = compile_for(model, out=out, target=target)
    click.echo(
        f"{out}: for {target} by Vela {compilation.vela}\n"
        f"operators on the NPU {compilation.npu_operators}, on the CPU {compilation.cpu_operators}"
        f"\nestimated {compilation.milliseconds:.1f} ms an inference, {compilation.sram_kib:.0f} "
        f"KiB of SRAM, {compilation.storage_kib:.0f} KiB of flash or DRAM"
    )
    if compilation.cpu_operators:
        echo_warning("what the CPU computes is slow and needs its own kernels")


def compile_for(model: Path, *, out: Path, target: str) -> Compilation:
    """Compile the file `model` for the NPU `target`, and write the result to `out`.

    Raises:
        EdgeclfError: the model cannot be read, nothing of it runs on the NPU, `out` exists, or Vela
            is missing or fails.
    """
    if out.exists():
        raise EdgeclfError(f"{out}: exists; choose another file, or remove it")
    check_file(out)
    program = _find_vela()
    data, spec = read_source(model)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(data[: read_archive(data).start])
        compilation = _run_vela(program, folder, target=target)
        if not compilation.npu_operators:
            raise EdgeclfError(
                f"{model}: the NPU computes nothing of it, as it computes integers; give an int8 "
                f"file, not {spec.recipe}"
            )
        compiled = (folder / "model_vela.tflite").read_bytes()
    provenance = (spec.provenance or {}) | {"compiled": asdict(compilation)}
    write_model(out, compiled, replace(spec, provenance=provenance))
    return compilation


def _find_vela() -> str:
    beside = shutil.which("vela", path=sysconfig.get_path("scripts"))
    program = beside or shutil.which("vela")
    if program is None:
        raise EdgeclfError("Arm's compiler Vela is missing: pip install 'edgeclf[ethos]'")
    return program


def _run_vela(program: str, folder: Path, *, target: str) -> Compilation:
    """Compile `model.tflite` in `folder`, and return what Vela says."""
    options = ("--accelerator-config", target, "--output-dir", folder)
    printed = _output(program, folder / "model.tflite", *options)
    counts = {kind: int(number) for kind, number in _OPERATORS.findall(printed)}
    summaries = list(folder.glob("*_summary_*.csv"))
    if set(counts) != {"CPU", "NPU"} or len(summaries) != 1:
        raise EdgeclfError(
            f"{program}: prints no numbers of operators, or no summary; pip install --upgrade "
            "'edgeclf[ethos]'"
        )
    with summaries[0].open(newline="") as file:
        [summary] = csv.DictReader(file)
    return Compilation(
        target=target,
        vela=_output(program, "--version").strip(),
        npu_operators=counts["NPU"],
        cpu_operators=counts["CPU"],
        milliseconds=1000 * float(summary["inference_time"]),
        sram_kib=float(summary["sram_memory_used"]),
        storage_kib=sum(float(summary[f"{kind}_memory_used"]) for kind in _STORAGE),
    )


def _output(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise EdgeclfError(f"Vela ended with {done.returncode}: {lines[-1]:.200}")
    return done.stdout
