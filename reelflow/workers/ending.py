"""How a process ends."""

import atexit
import gc


def end_quickly() -> None:
    """Do not look for cycles among objects that the process gives up anyway.

    With TensorFlow loaded, that search takes more than a second at the end of Python.
    """
    atexit.register(gc.freeze)
