"""What a policy, and a request about one, must look like.

Rules without a note are those of google/iam/v1/policy.proto and options.proto; the words are ours.
"""

import re
from collections.abc import Callable, Collection, Sequence

from google.iam.v1 import policy_pb2

from gpupipe.localcloud.errors import invalid_argument, unimplemented
from gpupipe.localcloud.kernel.roles import KNOWN_PERMISSIONS, ROLES, touches

CONDITIONS_VERSION = 3
ALL_SERVICES = "allServices"
BINDINGS = frozenset({"bindings", "etag"})  # google.iam.v1 SetIamPolicyRequest.update_mask
MASKABLE = BINDINGS | {"version", "audit_configs"}
"""What a policy consists of here."""
_VERSIONS = frozenset({0, 1, CONDITIONS_VERSION})
_MOST_MEMBERS = 1_500
_MOST_GROUPS = 250
_MOST_TESTED = 100  # gcp-facts §8, own knowledge: UNSURE
_PUBLIC = frozenset({"allUsers", "allAuthenticatedUsers"})
_SERVICE = re.compile(r"[a-z][a-z0-9-]*\.googleapis\.com")
_MEMBER = re.compile(
    r"(user|serviceAccount|group):[^\s:?]+@[^\s:?]+|domain:[^\s:]+"
    r"|deleted:(user|serviceAccount|group):[^\s:?]+@[^\s:?]+\?uid=\d+"
    r"|project(Owner|Editor|Viewer):[^\s:]+"
)
_ROLE = re.compile(r"roles/[a-zA-Z0-9_.]+|(projects|organizations)/[^/]+/roles/[a-zA-Z0-9_.]+")
_LOG_TYPES = frozenset(policy_pb2.AuditLogConfig.LogType.values()) - {0}
_GROUPS = ("group:", "deleted:group:")
_OWNER = "roles/owner"
# The kind of a resource in its name -> how the permissions begin that mean something on it.
_HELD = {
    "buckets": "storage.",
    "repositories": "artifactregistry.",
    "serviceAccounts": "iam.serviceAccounts.",
    "services": "run.",
    "subscriptions": "pubsub.subscriptions.",
    "topics": "pubsub.topics.",
    "triggers": "eventarc.triggers.",
}
_ONLY_IN_BUCKETS = "roles/storage.legacy"  # own knowledge: UNSURE
_OF_BUCKETS = "roles/storage."  # Storage's API, the role of a policy's binding
_MAY_OWN = ("user:", "serviceAccount:")


def check_requested_version(version: int) -> None:
    """Refuse a version of a policy that there is not."""
    if version not in _VERSIONS:
        raise invalid_argument(
            f"The policy version {version} is not one of 0, 1 and 3.",
            "options.requested_policy_version",
        )


def normalised(policy: policy_pb2.Policy) -> policy_pb2.Policy:
    """One binding per role, members sorted and once each, no empty binding; without the etag.

    So with audit configurations: one per service, each type once. Always of version 1: without
    conditions there is nothing that needs a later one.
    """
    roles: dict[str, set[str]] = {}
    for binding in policy.bindings:
        roles.setdefault(binding.role, set()).update(binding.members)
    clean = policy_pb2.Policy(version=1)
    for role in sorted(roles):
        if roles[role]:
            clean.bindings.add(role=role, members=sorted(roles[role]))
    audited: dict[str, dict[int, set[str]]] = {}
    for config in policy.audit_configs:
        for one in config.audit_log_configs:
            types = audited.setdefault(config.service, {})
            types.setdefault(one.log_type, set()).update(one.exempted_members)
    for service in sorted(audited):
        added = clean.audit_configs.add(service=service)
        for log_type, exempted in sorted(audited[service].items()):
            added.audit_log_configs.add(log_type=log_type, exempted_members=sorted(exempted))
    return clean


def masked(
    policy: policy_pb2.Policy, before: policy_pb2.Policy, fields: Collection[str]
) -> policy_pb2.Policy:
    """A policy whose fields outside of an update mask are those that were there before."""
    merged = policy_pb2.Policy()
    merged.CopyFrom(policy)
    for name in {"bindings", "audit_configs"} - set(fields):
        merged.ClearField(name)
        getattr(merged, name).extend(getattr(before, name))
    return merged


def check(policy: policy_pb2.Policy, known_member: Callable[[str], bool]) -> None:
    """Refuse what Google refuses, then what is not emulated: conditions, other roles."""
    if policy.version not in _VERSIONS:
        raise invalid_argument(
            f"The policy version {policy.version} is not one of 0, 1 and 3.", "policy.version"
        )
    if any(binding.HasField("condition") for binding in policy.bindings):
        # A condition that nobody evaluates would grant too much.
        _refuse_conditions(policy)
    for config in policy.audit_configs:
        _check_audited(config)
    _check_size(policy)
    for binding in policy.bindings:
        _check_role(binding.role)
        for member in binding.members:
            _check_member(member, known_member)


def check_supported(resource: str, policy: policy_pb2.Policy) -> None:
    """Refuse roles that a resource of this kind cannot hold, and audit logs of less than a project.

    Text: terraform-provider-google#9130 of a bucket, google-cloud-python#10499 of an account; of
    other kinds by likeness.
    """
    kind = resource.split("/")[-2]
    if policy.audit_configs and kind != "projects":
        raise unimplemented(f"audit configurations in the policies of {kind}")
    for role in sorted({binding.role for binding in policy.bindings}):
        if not _holds(kind, role):
            raise invalid_argument(
                f"Role {role} is not supported for this resource.", "policy.bindings"
            )


def _holds(kind: str, role: str) -> bool:
    if kind == "projects":
        return not role.startswith(_ONLY_IN_BUCKETS)
    if kind == "buckets" and not role.startswith(_OF_BUCKETS):
        return False
    return touches(role, _HELD[kind])


def check_project(before: policy_pb2.Policy, policy: policy_pb2.Policy) -> None:
    """Refuse what a project without an organization refuses of its owners and of the public.

    Rules: google.cloud.resourcemanager_v3 ProjectsClient.set_iam_policy; the code of an owner who
    was not invited: google-api-python-client#537; the others' codes are own knowledge. All users
    who are owners have accepted the terms of service.
    """
    public = {member for binding in policy.bindings for member in binding.members} & _PUBLIC
    if public:
        raise invalid_argument(
            f"A project's policy cannot have the member {min(public)}.", "policy.bindings"
        )
    added = _owners(policy) - _owners(before)
    if strangers := {member for member in added if not member.startswith(_MAY_OWN)}:
        raise invalid_argument(
            f"The member {min(strangers)} cannot own a project: users, service accounts and groups "
            "of the project's organization can, and this one has no organization.",
            "policy.bindings",
        )
    if invited := {member for member in added if member.startswith("user:")}:
        raise invalid_argument(
            f"The member {min(invited)} cannot be made an owner by this call: users are invited to "
            "own a project, and accept.",
            "policy.bindings",
        )
    if not any(member.startswith("user:") for member in _owners(policy)):
        raise invalid_argument(
            f"The policy takes {_OWNER} from the last user who holds it: a project without an "
            "organization keeps one.",
            "policy.bindings",
        )


def _owners(policy: policy_pb2.Policy) -> set[str]:
    return {
        member
        for binding in policy.bindings
        if binding.role == _OWNER
        for member in binding.members
    }


def check_tested(permissions: Sequence[str]) -> None:
    """Refuse what TestIamPermissions cannot answer; wildcards by the proto, the rest is UNSURE."""
    if len(permissions) > _MOST_TESTED:
        raise invalid_argument(
            f"At most {_MOST_TESTED} permissions can be tested at once; got {len(permissions)}.",
            "permissions",
        )
    for name in permissions:
        if name not in KNOWN_PERMISSIONS:
            raise invalid_argument(
                f"Permission {name} is not valid for this resource "
                "(or not one that the local cloud knows).",
                "permissions",
            )


def _refuse_conditions(policy: policy_pb2.Policy) -> None:
    if policy.version != CONDITIONS_VERSION:
        raise invalid_argument("A policy with a condition must be of version 3.", "policy.version")
    raise unimplemented("conditions in IAM policies")


def _check_audited(config: policy_pb2.AuditConfig) -> None:
    """AuditConfig and AuditLogConfig of policy.proto; of services Google may know fewer."""
    path = "policy.audit_configs"
    if config.service != ALL_SERVICES and not _SERVICE.fullmatch(config.service):
        raise invalid_argument(
            f"{config.service!r} is no service whose calls can be logged: expected "
            f"NAME.googleapis.com or {ALL_SERVICES}.",
            path,
        )
    if not config.audit_log_configs:
        raise invalid_argument(f"The audit configuration of {config.service} has no types.", path)
    for one in config.audit_log_configs:
        if one.log_type not in _LOG_TYPES:
            raise invalid_argument(
                f"The audit configuration of {config.service} has a type that there is not.", path
            )
        for member in one.exempted_members:
            if not _MEMBER.fullmatch(member):
                raise invalid_argument(f"Invalid principal in the policy: {member!r}.", path)


def _check_size(policy: policy_pb2.Policy) -> None:
    members = [member for binding in policy.bindings for member in binding.members]
    groups = [member for member in members if member.startswith(_GROUPS)]
    for found, most, what in (
        (members, _MOST_MEMBERS, "members"),
        (groups, _MOST_GROUPS, "groups"),
    ):
        if len(found) > most:
            # kubeflow/pipelines#1146, of members
            raise invalid_argument(
                f"The number of {what} in the policy ({len(found):,}) is larger than the maximum "
                f"allowed size {most:,}.",
                "policy.bindings",
            )


def _check_role(role: str) -> None:
    if not _ROLE.fullmatch(role):
        raise invalid_argument(
            f"Role name must be in the format roles/ROLE: {role!r}.", "policy.bindings"
        )
    if role not in ROLES:
        raise unimplemented(f"the role {role}")


def _check_member(member: str, known_member: Callable[[str], bool]) -> None:
    if member in _PUBLIC:
        return
    if not _MEMBER.fullmatch(member):
        raise invalid_argument(f"Invalid principal in the policy: {member!r}.", "policy.bindings")
    if member.startswith("serviceAccount:") and not known_member(member):
        # gcp-facts §6
        email = member.partition(":")[2]
        raise invalid_argument(f"Service account {email} does not exist.", "policy.bindings")
