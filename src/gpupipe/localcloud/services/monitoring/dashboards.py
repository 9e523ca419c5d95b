"""google.monitoring.dashboard.v1.DashboardsService: dashboards as they are stored."""

from typing import Any
from uuid import uuid4

from google.cloud import monitoring_dashboard_v1 as pb
from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask

from gpupipe.localcloud.errors import (
    Code,
    ServiceError,
    already_exists,
    invalid_argument,
)
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.monitoring import dashboard_rules
from gpupipe.localcloud.services.monitoring.dashboard_rules import Dashboard
from gpupipe.localcloud.services.monitoring.store import Store
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call
from gpupipe.localcloud.transport.updates import WithoutMask, merged

_COLLECTION = "dashboards"


class Dashboards:
    """Create, get, list, update, delete."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._dashboards = Store(kernel, "monitoring.dashboard", _COLLECTION, Dashboard)

    def create(self, request: Any, _: Call) -> Any:
        """CreateDashboard, under a name of the caller or one of our own."""
        parent = self._dashboards.parent(request.parent, "parent")
        dashboard = Dashboard()
        dashboard.CopyFrom(request.dashboard)
        dashboard.name = dashboard.name or f"{request.parent}/{_COLLECTION}/{uuid4()}"
        key = self._dashboards.key(dashboard.name, "dashboard.name")
        if not key.startswith(f"{parent}/"):
            raise invalid_argument("The dashboard's name is not in the parent.", "dashboard.name")
        dashboard_rules.check(dashboard)
        with self._kernel.database.transaction():
            if self._dashboards.find(key) is not None:
                raise already_exists(f"Dashboard {key} already exists.")  # own words
            return self._put(key, dashboard, save=not request.validate_only)

    def get(self, request: Any, _: Call) -> Any:
        """GetDashboard."""
        return self._dashboards.existing(self._dashboards.key(request.name, "name"))

    def list(self, request: Any, _: Call) -> Any:
        """ListDashboards."""
        parent = self._dashboards.parent(request.parent, "parent")
        dashboards, token = self._dashboards.page(parent, request)
        return raw(pb.ListDashboardsResponse)(dashboards=dashboards, next_page_token=token)

    def update(self, request: Any, _: Call) -> Any:
        """UpdateDashboard: the whole of it, by who has seen the newest (its etag)."""
        new = request.dashboard
        key = self._dashboards.key(new.name, "dashboard.name")
        with self._kernel.database.transaction():
            old = self._dashboards.existing(key)
            _check_etag(old, new)
            dashboard = merged(
                old,
                new,
                FieldMask(),
                path="dashboard",
                without_mask=WithoutMask.WHOLE,
                keep=("name",),
            )
            dashboard_rules.check(dashboard)
            return self._put(key, dashboard, save=not request.validate_only)

    def delete(self, request: Any, _: Call) -> Empty:
        """DeleteDashboard."""
        with self._kernel.database.transaction():
            self._dashboards.delete(self._dashboards.key(request.name, "name"))
        return Empty()

    def _put(self, key: str, dashboard: Any, *, save: bool) -> Any:
        """The dashboard as it is shown: by the project's number, with a new etag."""
        _, project, rest = key.split("/", 2)
        owner = self._kernel.projects.ensure(project)
        dashboard.name = f"projects/{owner.number}/{rest}"
        dashboard.etag = uuid4().hex
        dashboard_rules.complete(dashboard)
        if save:
            self._dashboards.put(key, dashboard)
        return dashboard


def _check_etag(old: Any, new: Any) -> None:
    if not new.etag:
        raise invalid_argument("An update needs the dashboard's etag.", "dashboard.etag")
    if new.etag != old.etag:
        raise ServiceError(Code.ABORTED, "The etag does not match: the dashboard has changed.")
