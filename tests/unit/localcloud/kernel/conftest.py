"""Every test here gets a kernel of its own."""

from tests.support.kernel import clock, kernel

__all__ = ["clock", "kernel"]
