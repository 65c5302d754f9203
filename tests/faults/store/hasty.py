"""`python -m tests.faults.store.hasty TIMEOUT_S MODULE ...`: a command of little patience with servers.

It sends files in parts, and asks for listings in pages, as small as those of the other tests.
"""

import runpy
import sys

from reelflow.objectstore.s3 import S3Store
from reelflow.objectstore.s3_requests import PATIENCE

FAILURES = 3
PART_BYTES, PAGE_NAMES = 10_000, 4

if __name__ == "__main__":
    timeout_s, module, *arguments = sys.argv[1:]
    vars(PATIENCE).update(failures=FAILURES, timeout_s=float(timeout_s), backoff_s=0.001)
    S3Store.__init__.__kwdefaults__.update(part_bytes=PART_BYTES, page_names=PAGE_NAMES)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
