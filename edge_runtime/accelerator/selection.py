"""The accelerator that computes a model: the one that was asked for, if it passes its trial."""

import os
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from ..errors import EdgeclfError
from ..tflite.interpreter import Interpreter, Runtime, open_interpreter
from .accelerator import MEND, Acceleration, Accelerator, parse_accelerator
from .opening import NoDelegateError, open_on
from .trial import Trial, Verdict, try_accelerator

# Delegates under the names by which their makers install them: Coral's Edge TPU, and NXP's for the
# NPUs of i.MX 8M Plus and i.MX 93.
_DELEGATES = ("libedgetpu.so.1", "libvx_delegate.so", "libethosu_delegate.so")


def open_accelerated(
    wanted: str | Accelerator,
    model: bytes,
    path: Path,
    threads: int,
    runtime: Runtime,
) -> tuple[Interpreter, Acceleration, list[str]]:
    """Return an interpreter for `model`, on the accelerator if it passes, else on the CPU.

    With it come what was chosen, and the lines that the runtime wrote meanwhile.

    Args:
        wanted: `auto`, or what `parse_accelerator` takes; an `Accelerator` has passed before.
        model: the bytes of the file.
        path: of the file.
        threads: of an inference on the CPU.
        runtime: of the CPU.

    Raises:
        EdgeclfError: `wanted` names no accelerator, or nothing computes the file.
    """
    notices: list[str] = []
    if isinstance(wanted, Accelerator):
        choice = Acceleration(wanted.name, wanted, "tried before")
        return open_on(wanted, model, threads=threads, notices=notices), choice, notices
    if not isinstance(wanted, str):
        raise EdgeclfError(f"accelerator {wanted!r:.80}: {MEND}")
    choice = choose(wanted, path, threads=threads, runtime=runtime)
    if choice.used is not None:
        try:
            return open_on(choice.used, model, threads=threads, notices=notices), choice, notices
        except EdgeclfError as error:
            choice = Acceleration(choice.asked, None, str(error))
    try:
        cpu = open_interpreter(
            model, name=str(path), threads=threads, notices=notices, runtime=runtime
        )
    except EdgeclfError as error:
        raise EdgeclfError(f"accelerator {choice.asked}: {choice.reason}; {error}") from None
    return cpu, choice, notices


def choose(wanted: str, model: Path, *, threads: int, runtime: Runtime) -> Acceleration:
    """Return what shall compute the file `model`; the arguments are those of `open_accelerated`."""
    if wanted != "auto":
        accelerator = parse_accelerator(wanted)
        if accelerator.kind == "delegate" and runtime == "compiled":
            raise EdgeclfError(
                f"accelerator {accelerator.name}: LiteRT's CompiledModel takes no delegate; leave "
                "--runtime at interpreter"
            )
        verdict = try_accelerator(accelerator, model, threads=threads, runtime=runtime)
        return _chosen(accelerator.name, [verdict])
    verdicts = []
    for accelerator in candidates():
        try:
            verdicts.append(try_accelerator(accelerator, model, threads=threads, runtime=runtime))
        except NoDelegateError as error:
            verdicts.append(Verdict(accelerator, str(error)))
    return _chosen(wanted, verdicts)


def _chosen(asked: str, verdicts: list[Verdict]) -> Acceleration:
    passed = [(each, each.trial) for each in verdicts if each.trial and each.reason is None]
    if passed:
        verdict, trial = min(passed, key=lambda pair: _ratio(pair[1]))
        return Acceleration(asked, verdict.accelerator, trial.praise)
    if asked != "auto":
        return Acceleration(asked, None, verdicts[0].reason or "")
    reasons = [f"{each.accelerator.name} is refused ({each.reason})" for each in verdicts]
    return Acceleration(asked, None, ", ".join(reasons) or "there is none on this machine")


def _ratio(trial: Trial) -> float:
    return trial.ms if trial.ratio is None else trial.ratio


def candidates() -> list[Accelerator]:
    """Return the accelerators whose libraries are on this machine, with or without the device."""
    found = [
        Accelerator("delegate", str(folder / name))
        for name in _DELEGATES
        for folder in _library_folders()
        if (folder / name).is_file()
    ]
    package = find_spec("ai_edge_litert")
    for folder in map(Path, (package and package.submodule_search_locations) or ()):
        if any(folder.glob("libLiteRt*Gpu*Accelerator.*")):
            found.append(Accelerator("gpu"))
        if any(folder.glob("vendors/*/dispatch/*LiteRtDispatch*")):
            found.append(Accelerator("npu"))
    return found


def _library_folders() -> list[Path]:
    named = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    usual = ["/usr/local/lib", "/usr/lib", f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}"]
    return [Path(name) for name in dict.fromkeys([*named, *usual]) if name]
