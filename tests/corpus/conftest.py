"""The corpus also goes over the wire of a local cloud; the fixture is in tests/support."""

from tests.support.localcloud import module_cloud

__all__ = ["module_cloud"]
