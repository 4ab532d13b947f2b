"""An accelerator tried on a model beside the CPU, in a process of its own."""

import json
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..errors import EdgeclfError
from ..tflite.interpreter import Runtime
from .accelerator import Accelerator
from .opening import NoDelegateError

SECONDS = 60.0  # that trials may take; systemd waits 90 s for the first frame of a service

# Of scores, 0 to 1, and of features as shares of the largest one. Plain kernels of int8 lie 12
# steps of 1/256 from XNNPACK's, and GPUs compute in float16.
TOLERANCE = 0.05
# What is not faster by so much may be the CPU itself, which LiteRT takes where there is no device
# and for what the device does not take.
_LARGEST_RATIO, _LARGEST_RATIO_IN_PART = 0.9, 0.5


@dataclass(frozen=True)
class Trial:
    """What an accelerator computed, and how fast.

    Attributes:
        self_test: whether the file's self-test passed; None if it carries none.
        inputs: how many drawn images were also computed by the CPU; 0 where it cannot.
        other_class: for how many of them the best class is not the CPU's.
        largest_difference: of a score or a feature, from the CPU's.
        ms: of an inference, the median; milliseconds.
        cpu_ms: the same of the CPU; None where it cannot compute the file.
        ratio: of one to the other, the median of pairs; None in the same case.
        whole: whether LiteRT says that the accelerator runs the whole model; None of a delegate.
    """

    self_test: bool | None
    inputs: int
    other_class: int
    largest_difference: float
    ms: float
    cpu_ms: float | None
    ratio: float | None
    whole: bool | None

    @property
    def fault(self) -> str | None:
        """Why it must not compute the model; None if it may."""
        if self.self_test is False:
            return "it computes wrongly: the self-test fails"
        if not self.inputs:
            return None if self.self_test else "neither a self-test nor the CPU can check it"
        if not self.largest_difference <= TOLERANCE:  # NaN is not
            return (
                f"it computes wrongly: scores or features are up to {self.largest_difference:.2g} "
                f"off the CPU's, and {self.other_class} of {self.inputs} images get another class"
            )
        largest = _LARGEST_RATIO_IN_PART if self.whole is False else _LARGEST_RATIO
        if self.ratio is not None and self.ratio > largest:
            slower = "slower than" if self.ratio > 1 else "hardly faster than"
            only = "" if self.whole is not False else ", which may compute the model in its stead"
            return f"it is {slower} the CPU{only}: {self.times}"
        return None

    @property
    def times(self) -> str:
        """Its milliseconds, and the CPU's."""
        cpu = "" if self.cpu_ms is None else f" against {self.cpu_ms:.2f} ms"
        return f"{self.ms:.2f} ms{cpu}"

    @property
    def praise(self) -> str:
        """What was found of one without a fault."""
        if self.cpu_ms is None:
            return f"{self.times}; the self-test passes, and the CPU cannot compute the file"
        return f"{self.times} on the CPU; scores and features within {self.largest_difference:.2g}"


@dataclass(frozen=True)
class Verdict:
    """How an accelerator fared.

    Attributes:
        accelerator: which.
        reason: why it is refused; None if it passed.
        trial: what was measured; None of one that did not get so far.
    """

    accelerator: Accelerator
    reason: str | None
    trial: Trial | None = None


def try_accelerator(
    accelerator: Accelerator,
    model: Path,
    *,
    threads: int,
    runtime: Runtime,
    share: int = 1,
) -> Verdict:
    """Try `accelerator` on the file `model`, in a process that may crash or hang.

    Args:
        accelerator: what is tried.
        model: the .tflite file.
        threads: of an inference on the CPU.
        runtime: of the CPU.
        share: how many are tried one after another, each with its share of `SECONDS`.

    Raises:
        NoDelegateError: its library cannot be loaded, or is no delegate.
        EdgeclfError: the model cannot be read.
    """
    seconds = SECONDS / share
    order = {
        "model": str(model), "threads": threads, "runtime": runtime,
        "accelerator": accelerator.to_json(),
    }  # fmt: skip
    isolated = ["-I"] if sys.flags.isolated else []
    command = [sys.executable, *isolated, "-m", f"{__package__}.trial_process", json.dumps(order)]
    with tempfile.TemporaryFile() as answers, tempfile.TemporaryFile() as said:
        code = _run(command, answers, said, seconds=seconds)
        answers.seek(0)
        reports = [json.loads(line) for line in answers.read().splitlines()]
        said.seek(0)
        last = said.read().decode(errors="replace").strip().splitlines()[-1:]
    return _verdict(accelerator, reports, code, seconds=seconds, last="".join(last))


def _run(command: list[str], answers: IO[bytes], said: IO[bytes], *, seconds: float) -> int | None:
    """Return the exit code; None of a process that was ended after `seconds`."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=answers, stderr=said, start_new_session=True
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        process.kill()
        process.wait()


def _verdict(
    accelerator: Accelerator,
    reports: list[dict[str, Any]],
    code: int | None,
    *,
    seconds: float,
    last: str,
) -> Verdict:
    found = {name: value for report in reports for name, value in report.items()}
    if "no_delegate" in found:
        raise NoDelegateError(found["no_delegate"])
    if "error" in found:
        raise EdgeclfError(found["error"])
    step = found.get("step", "starts")
    if code is None:
        reason = f"it hangs or is very slow: it still {step} after {seconds:g} s"
        return Verdict(accelerator, reason)
    if code < 0:
        name = signal.Signals(-code).name
        return Verdict(accelerator, f"it crashes when it {step} ({name})")
    if "refused" in found:
        return Verdict(accelerator, found["refused"])
    if code or "trial" not in found:
        detail = f"{code}: {last:.200}" if last else f"{code}"
        return Verdict(accelerator, f"it crashes when it {step} (its process ended with {detail})")
    trial = Trial(**found["trial"])
    return Verdict(accelerator, trial.fault, trial)
