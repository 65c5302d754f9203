"""Runs commands that permission bits bind, even for root."""

import os
import shutil
import subprocess

import pytest

BOUND = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")


def run_bound_by_rights(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command without root's right to pass over permission bits; skip where that is not possible."""
    prefix: tuple[str, ...] = ()
    if os.getuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root passes over permission bits, and there is no setpriv")
        prefix = BOUND
        if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
            pytest.skip("root passes over permission bits, and setpriv may not change that here")
    return subprocess.run([*prefix, *command], capture_output=True, text=True, check=False)
