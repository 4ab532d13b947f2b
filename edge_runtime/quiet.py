"""Libraries without their chatter."""

import atexit
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import cv2


def quiet_tensorflow() -> None:
    """Import TensorFlow as Keras's backend, its start-up notices kept off the terminal.

    Call before anything else imports it.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with quiet_stderr():
        import tensorflow as tf

        tf.config.list_physical_devices()  # looks for CUDA, aloud
    tf.get_logger().setLevel("ERROR")


def quiet_opencv() -> None:
    """Leave it to our own errors to name a damaged file, instead of OpenCV's and FFmpeg's lines."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    if hasattr(cv2.utils, "logging"):  # OpenCV 4.11 has none, and has read the variable by now
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@contextmanager
def quiet_stderr() -> Iterator[list[str]]:
    """Keep back what is written to descriptor 2, also by C++, unless the block fails.

    Yields a list that holds the lines which were kept back, once the block is over.
    """
    sys.stderr.flush()
    original = os.dup(2)
    lines: list[str] = []
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield lines
        except Exception:
            aside.seek(0)
            os.write(original, aside.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
            aside.seek(0)
            lines += aside.read().decode(errors="replace").splitlines()


@cache
def quiet_exit() -> None:
    """Drop what C++ libraries write to descriptor 2 while the process ends."""

    def silence() -> None:
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)

    atexit.register(silence)
