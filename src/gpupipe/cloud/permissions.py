"""Which permission a refusal is about, and which predefined role to ask for.

The roles are the narrowest predefined ones that hold what gpupipe does with a service; together they
are what a person needs (docs/reference/iam.md is generated from this table).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Role:
    """A predefined role: which permissions it is asked for, by their beginnings, and what for.

    needed: the first command that fails without it, "deploy" or "destroy"; "" for none.
    """

    name: str
    permissions: tuple[str, ...]
    purpose: str
    needed: str = "deploy"


ROLES: tuple[Role, ...] = (
    Role("roles/serviceusage.serviceUsageAdmin", ("serviceusage.",),
         "enable the APIs and make Google's service agents"),
    Role("roles/resourcemanager.projectIamAdmin", ("resourcemanager.projects.",),
         "read the project and grant the pipeline's accounts their project roles"),
    Role("roles/iam.serviceAccountUser", ("iam.serviceAccounts.actAs",),
         "hand the accounts to services, workflow, trigger and builds"),
    Role("roles/iam.serviceAccountTokenCreator",
         ("iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.getOpenIdToken"),
         "--impersonate-service-account", needed=""),
    Role("roles/iam.serviceAccountAdmin", ("iam.serviceAccounts.",),
         "make, describe and delete the pipeline's accounts"),
    Role("roles/artifactregistry.admin", ("artifactregistry.",),
         "make the repository and say who pushes to it"),
    Role("roles/storage.admin", ("storage.",),
         "make the buckets, say who uses them, send files and read results"),
    Role("roles/cloudbuild.builds.editor", ("cloudbuild.",), "build the images"),
    Role("roles/run.admin", ("run.",), "deploy the services and say who calls them"),
    Role("roles/workflows.admin", ("workflows.",), "deploy the workflow and follow its executions"),
    Role("roles/eventarc.admin", ("eventarc.",), "make the trigger"),
    Role("roles/cloudquotas.viewer", ("cloudquotas.",),
         "fit the instances to the quotas (not needed where every max_instances is set)"),
    Role("roles/logging.viewer", ("logging.logEntries.", "logging.logs."),
         "show the end of a build's log when it fails, and how long a model took to load",
         needed=""),
    Role("roles/logging.privateLogViewer", ("logging.privateLogEntries.",),
         "read who read and wrote data, where audit_logs is on", needed=""),
    Role("roles/logging.configWriter", ("logging.",), "make the log-based metrics and the log sink"),
    Role("roles/monitoring.editor", ("monitoring.",), "make the dashboard and the alert policies"),
    Role("roles/pubsub.viewer", ("pubsub.",),
         "see that the topics and subscriptions behind a trigger are gone", needed="destroy"),
    Role("roles/billing.costsManager", ("billing.",), "make a budget (on the billing account)", needed=""),
    Role("roles/orgpolicy.policyViewer", ("orgpolicy.",), "see which constraints hold",
         needed=""),
)  # fmt: skip
"""The first that matches a permission is the one to ask for."""

NEEDED: tuple[str, ...] = tuple(
    f"{service}.{resource}.{verb}"
    for service, resource, verbs in (
        ("run", "services", "create get list update delete getIamPolicy setIamPolicy"),
        ("run", "revisions", "list"),
        ("cloudbuild", "builds", "create get list"),
        ("artifactregistry", "repositories", "create get update delete getIamPolicy setIamPolicy"),
        ("artifactregistry", "tags", "get"),
        ("storage", "buckets", "create get list update delete getIamPolicy setIamPolicy"),
        ("storage", "objects", "create get list delete"),
        ("workflows", "workflows", "create get list update delete"),
        ("workflows", "executions", "get list"),
        ("eventarc", "triggers", "create get list update delete"),
        ("iam", "serviceAccounts", "create get list update delete actAs"),
        ("resourcemanager", "projects", "get getIamPolicy setIamPolicy"),
        ("serviceusage", "services", "enable list"),
        ("cloudquotas", "quotas", "get"),
        ("logging", "logMetrics", "create list update delete"),
        ("logging", "sinks", "get"),
        ("monitoring", "alertPolicies", "create list update delete"),
        ("monitoring", "dashboards", "create list update delete"),
        ("pubsub", "topics", "list"),
        ("pubsub", "subscriptions", "list"),
    )
    for verb in verbs.split()
)
"""What a deploy and a destroy ask for, each held by one of `ROLES`."""

FOR_LOG_SINK = tuple(f"logging.sinks.{verb}" for verb in ("create", "update", "delete"))
"""What is needed too where the configuration asks for a log sink, beside looking for one."""

FOR_AUDIT_LOGS = ("logging.privateLogEntries.list",)
"""What it takes to read them; turning them on takes what project grants take."""

ONLY_ON_PROJECT = frozenset(
    one
    for one in (*NEEDED, *FOR_LOG_SINK)
    if one.endswith((".create", ".enable")) and not one.startswith("storage.objects.")
) | {"resourcemanager.projects.setIamPolicy"}
"""Those of `NEEDED` that no grant on a resource of the pipeline can give, since it makes the resource."""

_NAME = r"[a-z]+\.[a-zA-Z]+\.[a-zA-Z]+"
# IAM's words ("Permission 'x' denied"), Eventarc's ("Permission "x" denied"), Cloud Storage's
# ("does not have x access").
_QUOTED = re.compile(rf"Permission ['\"]({_NAME})['\"] denied|does not have ({_NAME}) access")


def missing_permission(message: str, metadata: Mapping[str, str]) -> str:
    """The permission that a PERMISSION_DENIED names, "" when it names none."""
    if named := metadata.get("permission"):
        return named
    found = _QUOTED.search(message)
    return next((name for name in found.groups() if name), "") if found else ""


def role_for(permission: str) -> str:
    """The role to ask for, "" when no table knows."""
    # Cloud Run writes iam.serviceaccounts.actAs.
    wanted = permission.lower()
    return next(
        (
            role.name
            for role in ROLES
            if any(wanted.startswith(start.lower()) for start in role.permissions)
        ),
        "",
    )
