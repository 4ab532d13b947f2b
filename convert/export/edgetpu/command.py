"""`edgeclf export edgetpu`: the check, and the compilation by Google's own compiler."""

import re
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click

from ....edge_runtime.command_line.warning import echo_warning
from ....edge_runtime.errors import EdgeclfError
from ....edge_runtime.files import check_folder, write_bytes
from ....edge_runtime.model_file.container import model_bytes, read_archive
from ....edge_runtime.tflite.tflite_file import parse_tflite
from ..source import read_source
from .check import Mapping, map_operators, refused_operators

COMPILER = "edgetpu_compiler"
_PATH = click.Path(path_type=Path)
_SECONDS = 600  # the compiler itself gives up after 180
_VERSION = re.compile(r"Edge TPU Compiler version (\S+)")
_ROW = re.compile(r"^(\S+) +(\d+) +(\S.*?)\s*$", re.MULTILINE)
_MAPPED = "Mapped to Edge TPU"


@dataclass(frozen=True)
class Compilation:
    """What the compiler says of a model.

    Attributes:
        target: `edgetpu`.
        compiler: its version.
        npu_operators: operators that the Edge TPU computes.
        cpu_operators: operators that are left to the CPU.
    """

    target: str
    compiler: str
    npu_operators: int
    cpu_operators: int


@click.command()
@click.argument("model", type=_PATH)
@click.option("--out", required=True, type=_PATH, help="Folder for the new .tflite file.")
def edgetpu(model: Path, out: Path) -> None:
    """Check MODEL, an int8 file, for Google's Edge TPU (Coral), and compile the file.

    The check names the operators that stay with the CPU, by what Google documents. The result
    keeps labels and spec behind it, as MODEL has them. Without Google's compiler on the PATH the
    check is all, and the exit code is 1.
    """
    check_folder(out)
    data, spec = read_source(model)
    graph = parse_tflite(data)
    mapping = map_operators(graph)
    click.echo(_mapping_text(mapping))
    newer = refused_operators(graph)
    if newer:
        raise EdgeclfError(
            f"{model}: Google's compiler is older than {', '.join(newer)}, and refuses such a "
            "file; convert the model again with this edgeclf"
        )
    if not mapping.mapped:
        raise EdgeclfError(
            f"{model}: the Edge TPU computes nothing of it, as it computes 8-bit integers alone; "
            f"give an int8 file, not {spec.recipe}"
        )
    program = shutil.which(COMPILER)
    if program is None:
        raise EdgeclfError(
            f"{COMPILER} is not on the PATH, so nothing is compiled; install it on x86-64 Debian "
            "as coral.ai/docs/edgetpu/compiler says"
        )
    compilation, compiled, log = run_compiler(program, data[: read_archive(data).start])
    provenance = (spec.provenance or {}) | {"compiled": asdict(compilation)}
    path = out / f"{model.stem}_edgetpu.tflite"
    out.mkdir(parents=True, exist_ok=True)
    write_bytes(path.with_suffix(".log"), log)
    write_bytes(path, model_bytes(compiled, replace(spec, provenance=provenance)))
    click.echo(
        f"{path}: by Edge TPU Compiler {compilation.compiler}\n"
        f"operators on the Edge TPU {compilation.npu_operators}, on the CPU "
        f"{compilation.cpu_operators}"
    )
    if compilation.cpu_operators:
        echo_warning("what the CPU computes is slow")


def _mapping_text(mapping: Mapping) -> str:
    lines = [f"by Google's table: on the Edge TPU {mapping.mapped}, on the CPU {mapping.on_cpu}"]
    if mapping.first is not None:
        lines[0] += f": {mapping.first} and all operators behind it"
    lines += [f"  {name} {count}×: {reason}" for (name, reason), count in mapping.reasons.items()]
    return "\n".join(lines)


def run_compiler(program: str, flatbuffer: bytes) -> tuple[Compilation, bytes, bytes]:
    """Compile a model, and return what was said of it, the new model, and the compiler's log.

    Raises:
        EdgeclfError: the compiler fails, does not end, or says nothing that is understood.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "model.tflite"
        source.write_bytes(flatbuffer)
        command = [program, "--show_operations", "--out_dir", str(folder), str(source)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise EdgeclfError(
                f"{COMPILER} was ended after {_SECONDS} s without a result; run it by hand"
            ) from None
        lines = (done.stderr + done.stdout).strip().splitlines() or ["no message"]
        compiled, log = folder / "model_edgetpu.tflite", folder / "model_edgetpu.log"
        if done.returncode or not compiled.is_file():
            raise EdgeclfError(f"{COMPILER} ended with {done.returncode}: {lines[-1]:.200}")
        written = log.read_bytes() if log.is_file() else done.stdout.encode()
        return _compilation(done.stdout, written), compiled.read_bytes(), written


def _compilation(printed: str, log: bytes) -> Compilation:
    version = _VERSION.search(printed)
    rows = _ROW.findall(printed) or _ROW.findall(log.decode(errors="replace"))
    counts = [(int(count), status) for _, count, status in rows]
    if version is None or not counts:
        raise EdgeclfError(
            f"{COMPILER}: prints no version, or no table of operators; give version 16.0"
        )
    mapped = sum(count for count, status in counts if status == _MAPPED)
    return Compilation(
        target="edgetpu",
        compiler=version[1],
        npu_operators=mapped,
        cpu_operators=sum(count for count, _ in counts) - mapped,
    )
