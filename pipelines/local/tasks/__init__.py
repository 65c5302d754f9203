"""The tasks of a local run, each in a process of its own (docs/adr/0021-a-local-run-starts-its-tasks.md)."""
