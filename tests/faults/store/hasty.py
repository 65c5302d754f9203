"""`python -m tests.faults.store.hasty TIMEOUT_S MODULE ...`: a command with a short retry policy.

It sends files in parts, and asks for listings in pages, as small as those of the other tests.
"""

import runpy
import sys

from reelflow.objectstore.client import POLICY

PART_BYTES = 10_000
CHANGES = {"attempts": 2, "backoff_s": 0.001, "part_bytes": PART_BYTES, "page_size": 4}

if __name__ == "__main__":
    timeout_s, module, *arguments = sys.argv[1:]
    vars(POLICY).update({**CHANGES, "timeout_s": float(timeout_s)})
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
