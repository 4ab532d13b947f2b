"""What a machine makes of a model: its outputs, its memory, and whether XNNPACK is active.

    python probe.py MODEL IMAGE...

prints one JSON object. The same code runs on the emulated board and on the machine beside it; it
imports nothing but the device's side of edgeclf.
"""

import json
import os
import re
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.images import read_image
from edgeclf.edge_runtime.tflite.interpreter import delegated_parts, runtime_name

_MARK = 0x5E000000  # see count.c
_AT_HWCAP, _HWCAP_ASIMDDP = 16, 1 << 20  # Linux: auxvec.h, and hwcap.h of arm64


def probe(model: Path, images: list[Path]) -> dict[str, Any]:
    """Run the model on one thread, with a mark before and after each inference.

    Returns:
        `outputs`: for each image, the values of the first output as the model gives them.
        `delegated_parts`: of the graph, which XNNPACK runs. `runtime`: which one it was.
        `peak_bytes`: of memory; None where that cannot be known.
        `self_test`: whether the file's self-test passes.
        `cpu_part`, `has_dot_product`: what /proc/cpuinfo and the kernel say; None on x86-64.
    """
    classifier = Classifier(model, threads=1)
    interpreter = classifier.interpreter
    entry, exit_ = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    outputs = []
    for path in images:
        pixels = classifier.preprocess(read_image(path))
        interpreter.set_tensor(entry["index"], pixels[np.newaxis])
        _mark()
        interpreter.invoke()
        _mark()
        outputs.append(interpreter.get_tensor(exit_["index"])[0].tolist())
    return {
        "outputs": outputs,
        "delegated_parts": delegated_parts(interpreter),
        "runtime": runtime_name(),
        "peak_bytes": _peak_bytes(),
        "self_test": classifier.self_test().passed,  # behind the peak, which it shall not raise
        **_processor(),
    }


def _mark() -> None:
    with suppress(OSError):
        os.getpgid(_MARK)


def _peak_bytes() -> int:
    """Return the peak of this process's memory, less what QEMU holds for itself.

    QEMU answers /proc/self/maps for the guest and leaves smaps as it is. What lies in none of the
    guest's regions is QEMU's own, and only grows.
    """
    guest = _regions(Path("/proc/self/maps").read_text())
    own = 0
    for entry in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", _read("smaps"), flags=re.MULTILINE)[1:]:
        [(begin, end)] = _regions(entry)
        if not any(begin < other_end and other < end for other, other_end in guest):
            own += _kilobytes("Rss", entry)
    return 1024 * (_kilobytes("VmHWM", _read("status")) - own)


def _processor() -> dict[str, Any]:
    part = re.search(r"^CPU part\s*: (\w+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    if part is None:
        return {"cpu_part": None, "has_dot_product": None}
    auxiliary = dict(struct.iter_unpack("=QQ", Path("/proc/self/auxv").read_bytes()))
    return {
        "cpu_part": int(part[1], 16),
        "has_dot_product": bool(auxiliary[_AT_HWCAP] & _HWCAP_ASIMDDP),
    }


def _regions(maps: str) -> list[tuple[int, int]]:
    found = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) ", maps, re.MULTILINE)
    return [(int(begin, 16), int(end, 16)) for begin, end in found]


def _kilobytes(name: str, text: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)
    assert found is not None
    return int(found[1])


def _read(name: str) -> str:
    return Path(f"/proc/self/{name}").read_text()


if __name__ == "__main__":
    print(json.dumps(probe(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])))
