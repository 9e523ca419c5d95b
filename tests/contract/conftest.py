"""Contract tests talk to a local cloud over loopback; the fixtures are in tests/support."""

from tests.support.localcloud import (
    local_cloud,
    local_cloud_factory,
    module_cloud,
    session_cloud,
)
from tests.support.pipeline import quick_pipeline

__all__ = ["local_cloud", "local_cloud_factory", "module_cloud", "quick_pipeline", "session_cloud"]
