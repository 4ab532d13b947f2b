"""A training that is killed at one moment, as `kill -9` would."""

import signal
import subprocess
import sys

# Runs the command line, and kills its own process at one moment of a training.
KILLED = """
import os, signal, sys
from edgeclf.edge_runtime.quiet import quiet_tensorflow
quiet_tensorflow()
import numpy as np, tensorflow as tf
from edgeclf.cli import main
from edgeclf.train.fitting.history import History

eager, phase, epoch, moment, *arguments = sys.argv[1:]
tf.config.run_functions_eagerly(eager == "True")
current = [None]
begin, save = History.on_epoch_begin, np.savez

def kill_now(kind):
    record = current[0]
    if record and kind == moment and [record.phase, record.epoch] == [phase, int(epoch)]:
        os.kill(os.getpid(), signal.SIGKILL)

def on_epoch_begin(self, epoch, logs=None):
    current[0], self.epoch = self, epoch + 1
    begin(self, epoch, logs)

def savez(file, **arrays):
    kill_now("before the checkpoint")
    save(file, **arrays)
    file.flush()
    kill_now("in the checkpoint")

History.on_epoch_begin, np.savez = on_epoch_begin, savez
History.on_train_batch_end = lambda self, batch, logs=None: kill_now("in a step")
main(arguments)
"""


def kill(
    phase: str, epoch: int, moment: str, arguments: tuple[object, ...], *, eager: bool = False
) -> str:
    """Run the command line until it kills itself, and return what it has printed."""
    given = map(str, (eager, phase, epoch, moment, *arguments))
    command = [sys.executable, "-c", KILLED, *given]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout
