"""The soak of the live loop, for seconds: it tells what grew, and leaves nothing over."""

import re
import subprocess
import sys
from pathlib import Path

import cv2

NUMBER = r"[+-]?\d+\.\d+"


def test_a_short_soak_states_its_slope(tiny_models: Path, tmp_path: Path) -> None:
    video = tmp_path / "seen.avi"
    soak = [sys.executable, "-m", "edgeclf.benchmarks.lab.live_soak", tiny_models / "int8.tflite"]
    options = ["--minutes", "0.1", "--every", "2", "--height", "96", "--record", video]
    ended = subprocess.run([*soak, *options], capture_output=True, text=True, check=False)
    *_, counts, memory, record = ended.stdout.splitlines()
    # While the warm-up lasts memory does grow; a busy machine records fewer frames.
    said = [line for line in ended.stderr.splitlines() if ": too slow: " not in line]
    assert said in ([], ["memory grows by more than 1 MB an hour"])
    assert int(re.search(r"(\d+) disconnects", counts)[1]) >= 1
    left = re.search(r"threads and files (\(.*\)) before, (\(.*\)) after", counts)
    assert left[1] == left[2]
    slope = re.search(rf"({NUMBER}) MB an hour \(95 %: ({NUMBER}) to ({NUMBER})\)", memory)
    value, low, high = map(float, slope.groups())
    assert low <= value <= high
    assert record.startswith(f"{video}: the camera's loop was in it for ")
    assert cv2.VideoCapture(str(video)).read()[0]
