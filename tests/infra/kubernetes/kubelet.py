"""Runs containers of built manifests as processes here: the same commands, arguments and variables."""

import base64
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.infra.kubernetes.manifests import Object, one, pods

REFERENCE = re.compile(r"\$\((\w+)\)")


class Kubelet:
    """Starts containers; addresses and paths of the cluster are replaced by those of this machine.

    Attributes:
        places: values in the manifests -> their values here.
    """

    def __init__(self, objects: list[Object], places: Mapping[str, str]) -> None:
        self.objects = objects
        self.places = dict(places)

    def secret(self, secret: str, key: str) -> str:
        """One value of a secret."""
        return base64.b64decode(one(self.objects, f"Secret/{secret}")["data"][key]).decode()

    def start(self, owner: str, container: str, **changes: str) -> subprocess.Popen[str]:
        """Start a container of the object kind/name."""
        spec = self._container(owner, container)
        variables = self._variables(spec) | changes
        words = [*spec["command"], *spec.get("args", ())]
        return subprocess.Popen(
            [self._here(_expand(word, variables)) for word in words],
            env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
            | {key: os.environ[key] for key in ("PYTHONPATH",) if key in os.environ}
            | {key: self._here(value) for key, value in variables.items()},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, owner: str, container: str, **changes: str) -> tuple[int, str]:
        """Run a container to its end: its exit code, and what it printed."""
        process = self.start(owner, container, **changes)
        printed, _ = process.communicate(timeout=120)
        return process.returncode, printed

    def _container(self, owner: str, container: str) -> dict[str, Any]:
        (pod,) = (pod for pod in pods(self.objects) if pod.owner == owner)
        (found,) = (one for _, one in pod.containers() if one["name"] == container)
        return found

    def _variables(self, container: dict[str, Any]) -> dict[str, str]:
        variables: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            variables |= self._map(source["configMapRef"]["name"])
        for variable in container.get("env", ()):
            if "value" in variable:
                variables[variable["name"]] = _expand(variable["value"], variables)
            else:
                reference = variable["valueFrom"]["secretKeyRef"]
                variables[variable["name"]] = self.secret(reference["name"], reference["key"])
        return variables

    def _map(self, wanted: str) -> dict[str, str]:
        return dict(one(self.objects, f"ConfigMap/{wanted}")["data"])

    def _here(self, text: str) -> str:
        for there, here in self.places.items():
            text = text.replace(there, here)
        return text


def _expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` as Kubernetes expands it: unknown names stay."""
    return REFERENCE.sub(lambda found: variables.get(found[1], found[0]), text)
