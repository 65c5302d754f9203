"""The module that a Python process was started with."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from types import ModuleType

_swapped = Lock()


@contextmanager
def without_main_module() -> Iterator[None]:
    """Start processes without the caller's main module: it may be large, or start processes itself."""
    with _swapped:
        main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main
