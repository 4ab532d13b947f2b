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
    if sys.stderr is not None:  # it is None where the descriptor was closed at the start
        sys.stderr.flush()
    before = copy_of_stderr()
    aside = unnamed_file()
    lines: list[str] = []
    os.dup2(aside, 2)
    try:
        yield lines
    except Exception:
        os.write(before, _content(aside))
        raise
    finally:
        os.dup2(before, 2)
        os.close(before)
        lines += _content(aside).decode(errors="replace").splitlines()
        os.close(aside)


def fill_closed_descriptors() -> None:
    """Lead the standard descriptors to nowhere that were closed at the start (`2>&-`).

    Otherwise the next file that is opened takes their place, and gets what is meant for them.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free: this one


@cache
def quiet_exit() -> None:
    """Drop what C++ libraries write to descriptor 2 while the process ends."""

    def silence() -> None:
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)

    atexit.register(silence)


def copy_of_stderr() -> int:
    """Return a copy of descriptor 2; one that leads to nowhere if whoever started us closed it."""
    try:
        return os.dup(2)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


def unnamed_file() -> int:
    """Return the descriptor of a file without a name, in memory where the system can."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("edgeclf")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _content(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)
