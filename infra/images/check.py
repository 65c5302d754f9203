"""`python check.py STEP`, in an image: KFP's executor runs a component that imports the step."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

COMPONENT = """
import kfp
from kfp import dsl
from kfp.dsl import *

def started(step: str) -> str:
    from importlib import import_module
    return import_module(f"components.{step}.step").run.__module__
"""


def main(step: str) -> int:
    """Run the component as KFP's launcher does; 1 unless it answers with the step's module."""
    with tempfile.TemporaryDirectory() as name:
        module, answer = Path(name, "component.py"), Path(name, "answer.json")
        module.write_text(COMPONENT, encoding="utf-8")
        asked = {
            "inputs": {"parameterValues": {"step": step}},
            "outputs": {"outputFile": str(answer)},
        }
        command = [sys.executable, "-m", "kfp.dsl.executor_main", "--component_module_path", str(module)]
        command += ["--executor_input", json.dumps(asked), "--function_to_execute", "started"]
        subprocess.run(command, check=True, env={"_KFP_RUNTIME": "true", "PYTHONPATH": "/app"})
        found = json.loads(answer.read_text(encoding="utf-8"))
    expected = {"parameterValues": {"Output": f"components.{step}.step"}}
    print(f"KFP's executor answered {found}")  # noqa: T201
    return 0 if found == expected else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
