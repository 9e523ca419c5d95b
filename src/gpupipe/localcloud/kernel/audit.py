"""Cloud Audit Logs: who called what, as entries of the project's logs.

The type of a permission says which log tells of the calls that ask for it: ADMIN_WRITE the Admin
Activity log, always; ADMIN_READ, DATA_READ and DATA_WRITE the Data Access log, where the project's
policy has it on for the service and does not exempt the caller (each product's audit-logging page).
A call that was refused for want of a permission is logged like one that was not.

Own assumptions, UNSURE: that an operation is logged once, when it begins, and the monitored resource
of all but Cloud Storage.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from google.cloud.audit import audit_log_pb2
from google.iam.v1 import policy_pb2

from gpupipe.localcloud.errors import ServiceError
from gpupipe.localcloud.kernel.caller import Caller
from gpupipe.localcloud.kernel.logs import ACTIVITY, DATA_ACCESS, Logs
from gpupipe.localcloud.kernel.policies import Policies

_ADMIN_WRITE = "ADMIN_WRITE"
_DATA = (
    "storage.objects.",
    "workflows.executions.",
    "workflows.callbacks.",
    "workflows.stepEntries.",
)
_READS = ("get", "list", "download", "readVia")
# What has no entries here: reading and writing logs and points, tokens, what services answer.
_SILENT = ("logging.logEntries.", "monitoring.timeSeries.", "run.routes.")
_SILENT_API = "iamcredentials.googleapis.com"
_SEVERITIES = {ACTIVITY: "NOTICE", DATA_ACCESS: "INFO"}


@dataclass(frozen=True, slots=True)
class Target:
    """What a call worked on: its name, and the monitored resource of the entry."""

    name: str
    kind: str = "audited_resource"
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Audited:
    """How an entry names a call. `target` is asked for when the call has ended; None for no entry.

    permission: "" for a method whose calls are not logged.
    """

    permission: str
    method: str
    target: Callable[[], Target | None]


class AuditLogs:
    """Writes the entries."""

    def __init__(self, policies: Policies, logs: Logs) -> None:
        self._policies = policies
        self._logs = logs

    def write(
        self, project: str, api: str, caller: Caller, call: Audited, error: ServiceError | None
    ) -> None:
        """Tell of a call in the project with this id, which ended well or with an error."""
        kind = _type_of(api, call.permission)
        log = ACTIVITY if kind == _ADMIN_WRITE else DATA_ACCESS
        if not kind or (log == DATA_ACCESS and not self._is_on(project, api, kind, caller)):
            return
        target = call.target()
        if target is None:
            return
        granted = error is None or error.code.name != "PERMISSION_DENIED"
        self._logs.write(
            f"projects/{project}/logs/{log}",
            target.kind,
            target.labels or {"service": api, "method": call.method},
            "ERROR" if error else _SEVERITIES[log],
            {
                "@type": f"type.googleapis.com/{audit_log_pb2.AuditLog.DESCRIPTOR.full_name}",
                "status": {"code": error.code.number, "message": error.message} if error else {},
                "authenticationInfo": {"principalEmail": caller.email},
                "serviceName": api,
                "methodName": call.method,
                "resourceName": target.name,
                "authorizationInfo": [
                    {
                        "resource": target.name,
                        "permission": call.permission,
                        "granted": granted,
                        "permissionType": kind,
                    }
                ],
            },
        )

    def _is_on(self, project: str, api: str, kind: str, caller: Caller) -> bool:
        number = policy_pb2.AuditLogConfig.LogType.Value(kind)
        return self._policies.audits(f"projects/{project}", api, number, caller.member)


def _type_of(api: str, permission: str) -> str:
    """The type of a permission, "" where no entry tells of its calls."""
    if not permission or api in {"", _SILENT_API} or permission.startswith(_SILENT):
        return ""
    reads = permission.rpartition(".")[2].startswith(_READS)
    return f"{'DATA' if permission.startswith(_DATA) else 'ADMIN'}_{'READ' if reads else 'WRITE'}"
