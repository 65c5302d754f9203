"""Counts what child processes open and embed: a `sitecustomize` wraps two calls as they are imported."""

import os
from collections import Counter
from pathlib import Path

SPY = """
import importlib.abc, importlib.machinery, os, sys

def count(what):
    file = os.open(os.environ["SPY_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, (what + "\\n").encode())
    os.close(file)

def counting(call, what):
    def counted(*arguments, **options):
        count(what)
        return call(*arguments, **options)
    return counted

def wrap(module):
    if module.__name__ == "av":
        module.open = counting(module.open, "open")
    else:
        name = module.__name__.rpartition(".")[2]
        load = module.load
        def loaded(*arguments, **options):
            network = load(*arguments, **options)
            network.embed = counting(network.embed, "embed " + name)
            return network
        module.load = loaded

class Finder(importlib.abc.MetaPathFinder):
    NAMES = ("av", "reelflow.backbones.thumbnail", "reelflow.backbones.mobilenet_v2")

    def find_spec(self, name, path=None, target=None):
        if name not in self.NAMES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module
        def exec_module(module):
            execute(module)
            wrap(module)
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""


class Spy:
    """What processes with this environment have opened and embedded since it was last asked."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "sitecustomize.py").write_text(SPY)
        self._file = folder / "counts.txt"
        self.environment = {"SPY_FILE": str(self._file), "PYTHONPATH": str(folder)}

    def take(self) -> Counter[str]:
        """Clips opened, and calls of each backbone."""
        found = Counter(self._file.read_text().splitlines() if self._file.exists() else [])
        self._file.unlink(missing_ok=True)
        return found


def merged(environment: dict[str, str], spy: Spy) -> dict[str, str]:
    """An environment in which a spy watches."""
    path = os.pathsep.join(filter(None, [spy.environment["PYTHONPATH"], environment.get("PYTHONPATH")]))
    return environment | spy.environment | {"PYTHONPATH": path}
