"""A kernel of the test's own; see tests/support/kernel.py."""

from tests.support.kernel import clock, kernel

__all__ = ["clock", "kernel"]
