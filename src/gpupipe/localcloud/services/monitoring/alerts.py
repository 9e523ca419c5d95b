"""google.monitoring.v3.AlertPolicyService: alert policies as they are stored; none is evaluated."""

from typing import Any
from uuid import uuid4

from google.cloud import monitoring_v3 as pb
from google.protobuf.empty_pb2 import Empty

from gpupipe.localcloud.errors import invalid_argument, not_found
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.monitoring import alert_rules
from gpupipe.localcloud.services.monitoring.alert_rules import AlertPolicy
from gpupipe.localcloud.services.monitoring.names import key_of, project_of
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call
from gpupipe.localcloud.transport.updates import WithoutMask, merged

_KIND = "monitoring.alertPolicy"
_COLLECTION = "alertPolicies"
_READ_ONLY = ("name", "validity", "creation_record", "mutation_record")


class AlertPolicies:
    """Create, get, list, update, delete."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def create(self, request: Any, call: Call) -> Any:
        """CreateAlertPolicy; names of policy and conditions are the server's."""
        project = project_of(self._kernel.projects, request.name, "name")
        policy = AlertPolicy()
        policy.CopyFrom(request.alert_policy)
        for field in _READ_ONLY:
            policy.ClearField(field)
        alert_rules.check(policy)
        policy.name = f"{project.name}/{_COLLECTION}/{_new_id()}"
        if not policy.HasField("enabled"):
            policy.enabled.value = True
        self._record(policy.creation_record, call)
        return self._put(policy, frozenset(), call)

    def get(self, request: Any, _: Call) -> Any:
        """GetAlertPolicy."""
        return self._existing(request.name, "name")

    def list(self, request: Any, _: Call) -> Any:
        """ListAlertPolicies."""
        parent = project_of(self._kernel.projects, request.name, "name").name
        page = self._kernel.resources.page(
            _KIND, parent, size=request.page_size, token=request.page_token
        )
        return raw(pb.ListAlertPoliciesResponse)(
            alert_policies=[AlertPolicy.FromString(record.body) for record in page.records],
            next_page_token=page.next_token,
            total_size=len(self._kernel.resources.all(_KIND, parent)),
        )

    def update(self, request: Any, call: Call) -> Any:
        """UpdateAlertPolicy; conditions that come with their name keep it."""
        with self._kernel.database.transaction():
            old = self._existing(request.alert_policy.name, "alert_policy.name")
            policy = merged(
                old,
                request.alert_policy,
                request.update_mask,
                path="alert_policy",
                without_mask=WithoutMask.WHOLE,
                keep=_READ_ONLY,
            )
            alert_rules.check(policy)
            return self._put(policy, frozenset(one.name for one in old.conditions), call)

    def delete(self, request: Any, _: Call) -> Empty:
        """DeleteAlertPolicy."""
        with self._kernel.database.transaction():
            policy = self._existing(request.name, "name")
            self._kernel.resources.delete(_KIND, policy.name)
        return Empty()

    def _existing(self, name: str, path: str) -> Any:
        key = key_of(self._kernel.projects, name, _COLLECTION, path)
        record = self._kernel.resources.get(_KIND, key)
        if record is None:
            raise not_found(f"Alert policy {key} was not found.")  # own words
        return AlertPolicy.FromString(record.body)

    def _put(self, policy: Any, known: frozenset[str], call: Call) -> Any:
        for condition in policy.conditions:
            if condition.name and condition.name not in known:
                path = "alert_policy.conditions.name"
                raise invalid_argument(f"The policy has no condition {condition.name!r}.", path)
            condition.name = condition.name or f"{policy.name}/conditions/{_new_id()}"
        self._record(policy.mutation_record, call)
        parent = policy.name.partition(f"/{_COLLECTION}/")[0]
        self._kernel.resources.put(_KIND, policy.name, parent, policy.SerializeToString())
        return policy

    def _record(self, record: Any, call: Call) -> None:
        record.mutate_time.FromDatetime(self._kernel.clock.now())
        record.mutated_by = call.caller.member.partition(":")[2]


def _new_id() -> str:
    return str(uuid4().int >> 65)
