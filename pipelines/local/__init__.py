"""The driver for one machine: processes or containers."""
