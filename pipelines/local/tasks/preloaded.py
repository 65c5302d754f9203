"""What the process loads that tasks are forked from: TensorFlow takes four seconds, the rest two.

Nothing here computes: TensorFlow starts its threads with the first operation, and a fork keeps no thread.
"""

import signal
from importlib import import_module

from reelflow.nets.runtime import prepare
from reelflow.workers.cpus import bound_thread_pools

signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the driver ends the tasks
bound_thread_pools()
for _name in (
    "kfp.dsl.executor",
    "reelflow.steps",
    "scipy.optimize",
    "sklearn.ensemble",
    "matplotlib.figure",
):
    import_module(_name)
prepare()
