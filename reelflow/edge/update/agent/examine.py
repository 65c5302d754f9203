"""`python -m reelflow.edge.update.agent.examine BUNDLE MEMORY_BYTES SECONDS`: a self-test within limits."""

import resource
import sys
from pathlib import Path

from reelflow.errors import ReelflowError

MIB = 1024 * 1024


def main() -> None:
    """Limit this process, then test the bundle."""
    bundle, memory_bytes, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))  # private memory, mapped too
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        _test(bundle)
    except ReelflowError as error:
        sys.exit(str(error))
    except MemoryError:
        sys.exit(f"it wants more than {memory_bytes / MIB:.0f} MB of memory")
    except (ImportError, OSError) as error:  # what libraries say that are not given memory
        sys.exit(f"within {memory_bytes / MIB:.0f} MB of memory: {error}")


def _test(bundle: Path) -> None:
    from reelflow.edge.bundle import open_bundle
    from reelflow.edge.selftest import self_test
    from reelflow.workers.stderr import silenced_stderr

    with silenced_stderr():
        self_test(open_bundle(bundle))


if __name__ == "__main__":
    main()
