"""Predefined roles and the permissions of them that the local cloud's methods ask for.

Names and memberships are Google's (cloud.google.com/iam/docs/understanding-roles and each
product's access-control page); permissions that no emulated method checks are left out, and a role
that is not here is refused by `Policies` as not emulated. To add one: its line in the table below.
"""

from collections.abc import Iterable, Mapping

_CRUD = ("create", "delete", "get", "list", "update")
_POLICY = ("getIamPolicy", "setIamPolicy")


def _of(resource: str, verbs: Iterable[str]) -> frozenset[str]:
    return frozenset(f"{resource}.{verb}" for verb in verbs)


_PROJECT_READ = _of("resourcemanager.projects", ("get", "list"))
_REGISTRY_READ = (
    _of(
        "artifactregistry.repositories",
        ("get", "list", "downloadArtifacts", "readViaVirtualRepository"),
    )
    | _of("artifactregistry.packages", ("get", "list"))
    | _of("artifactregistry.versions", ("get", "list"))
    | _of("artifactregistry.tags", ("get", "list"))
    | _of("artifactregistry.files", ("get", "list", "download"))
    | _of("artifactregistry.dockerimages", ("get", "list"))
    | _of("artifactregistry.locations", ("get", "list"))
)
_REGISTRY_WRITE = (
    _REGISTRY_READ
    | {"artifactregistry.repositories.uploadArtifacts"}
    | _of("artifactregistry.tags", ("create", "update"))
)
_REGISTRY_ADMIN = (
    _REGISTRY_WRITE
    | _of("artifactregistry.repositories", (*_CRUD, *_POLICY, "deleteArtifacts"))
    | _of("artifactregistry.packages", ("delete",))
    | _of("artifactregistry.versions", ("delete",))
    | _of("artifactregistry.tags", ("delete",))
)
_BUILD_VIEW = _of("cloudbuild.builds", ("get", "list")) | _of(
    "cloudbuild.operations", ("get", "list")
)
_BUILD_EDIT = _BUILD_VIEW | _of("cloudbuild.builds", ("create", "update"))
_RUN_READ = (
    _of("run.services", ("get", "list", "getIamPolicy"))
    | _of("run.revisions", ("get", "list"))
    | _of("run.operations", ("get", "list"))
    | _of("run.locations", ("list",))
)
_RUN_DEVELOP = (
    _RUN_READ
    | _of("run.services", ("create", "update", "delete"))
    | _of("run.revisions", ("delete",))
    | _of("run.operations", ("delete",))
)
_RUN_INVOKE = frozenset({"run.routes.invoke"})
_WORKFLOWS_READ = (
    _of("workflows.workflows", ("get", "list", "listRevision"))
    | _of("workflows.operations", ("get", "list"))
    | _of("workflows.locations", ("get", "list"))
    | _of("workflows.executions", ("get", "list"))
    | _of("workflows.stepEntries", ("get", "list"))
    | _of("workflows.callbacks", ("list",))
)
_WORKFLOWS_INVOKE = (
    _of("workflows.executions", ("create", "get", "list", "cancel"))
    | _of("workflows.stepEntries", ("get", "list"))
    | _of("workflows.callbacks", ("list", "send"))
)
_WORKFLOWS_EDIT = (
    _WORKFLOWS_READ
    | _WORKFLOWS_INVOKE
    | _of("workflows.workflows", _CRUD)
    | _of("workflows.operations", ("cancel", "delete"))
)
_EVENTARC_READ = (
    _of("eventarc.triggers", ("get", "list", "getIamPolicy"))
    | _of("eventarc.providers", ("get", "list"))
    | _of("eventarc.operations", ("get", "list"))
    | _of("eventarc.locations", ("get", "list"))
)
_EVENTARC_ADMIN = (
    _EVENTARC_READ
    | _of("eventarc.triggers", (*_CRUD, "setIamPolicy"))
    | _of("eventarc.operations", ("cancel", "delete"))
)
_PUBSUB_PUBLISH = frozenset({"pubsub.topics.publish"})
_PUBSUB_VIEW = _of("pubsub.topics", ("get", "list")) | _of("pubsub.subscriptions", ("get", "list"))
_PUBSUB_SUBSCRIBE = frozenset({"pubsub.subscriptions.consume", "pubsub.topics.attachSubscription"})
_PUBSUB_EDIT = (
    _PUBSUB_PUBLISH
    | _PUBSUB_VIEW
    | _PUBSUB_SUBSCRIBE
    | _of("pubsub.topics", ("create", "delete", "update"))
    | _of("pubsub.subscriptions", ("create", "delete", "update"))
)
_PUBSUB_ADMIN = _PUBSUB_EDIT | _of("pubsub.topics", _POLICY) | _of("pubsub.subscriptions", _POLICY)
_OBJECT_READ = _of("storage.objects", ("get", "list"))
_OBJECT_USE = _OBJECT_READ | _of(
    "storage.objects", ("create", "delete", "update", "restore", "move")
)
_FOLDER_READ = _of("storage.managedFolders", ("get", "list"))
_BUCKET_ADMIN = _of("storage.buckets", (*_CRUD, *_POLICY, "restore", "getObjectInsights"))
_ACCOUNT_READ = _of("iam.serviceAccounts", ("get", "list"))
_ACCOUNT_ADMIN = _ACCOUNT_READ | _of(
    "iam.serviceAccounts",
    ("create", "delete", "undelete", "update", "enable", "disable", *_POLICY),
)
_ACCOUNT_USE = _ACCOUNT_READ | {"iam.serviceAccounts.actAs"}
_TOKENS = _of(
    "iam.serviceAccounts",
    ("getAccessToken", "getOpenIdToken", "signBlob", "signJwt", "implicitDelegation"),
)
_USAGE_READ = _of("serviceusage.services", ("get", "list")) | _of("serviceusage.quotas", ("get",))
_USAGE_USE = _USAGE_READ | {"serviceusage.services.use"}
_USAGE_OPERATIONS = _of("serviceusage.operations", ("get", "list", "cancel", "delete"))
_USAGE_ADMIN = (
    _USAGE_USE
    | _of("serviceusage.services", ("enable", "disable"))
    | {"serviceusage.quotas.update"}
    | _USAGE_OPERATIONS
)
_MONITORING_VIEW = (
    _of("monitoring.dashboards", ("get", "list"))
    | _of("monitoring.alertPolicies", ("get", "list"))
    | _of("monitoring.notificationChannels", ("get", "list"))
    | _of("monitoring.metricDescriptors", ("get", "list"))
    | _of("monitoring.timeSeries", ("list",))
)
_MONITORING_EDIT = (
    _MONITORING_VIEW
    | _of("monitoring.dashboards", ("create", "delete", "update"))
    | _of("monitoring.alertPolicies", ("create", "delete", "update"))
    | _of("monitoring.notificationChannels", ("create", "delete", "update"))
    | _of("monitoring.metricDescriptors", ("create", "delete"))
    | _of("monitoring.timeSeries", ("create",))
)
_LOG_WRITE = frozenset({"logging.logEntries.create", "logging.logEntries.route"})
_LOG_VIEW = (
    _of("logging.logEntries", ("list",))
    | _of("logging.logs", ("list",))
    | _of("logging.logMetrics", ("get", "list"))
    | _of("logging.sinks", ("get", "list"))
)
_LOG_PRIVATE = frozenset({"logging.privateLogEntries.list"})
_LOG_CONFIG = (
    _of("logging.logMetrics", _CRUD) | _of("logging.sinks", _CRUD) | _of("logging.logs", ("list",))
)
_LOG_ADMIN = _LOG_CONFIG | _LOG_VIEW | _LOG_WRITE | _LOG_PRIVATE | {"logging.logs.delete"}
_QUOTA_VIEW = frozenset({"cloudquotas.quotas.get", "monitoring.timeSeries.list"}) | _of(
    "serviceusage.services", ("get", "list")
)
_PROJECT_IAM = _PROJECT_READ | _of("resourcemanager.projects", _POLICY)

ROLES: Mapping[str, frozenset[str]] = {
    # Basic roles: `grants` reads "*" as every permission but those in _NOT_IN_OWNER.
    "roles/owner": frozenset({"*"}),
    "roles/artifactregistry.admin": _REGISTRY_ADMIN,
    "roles/artifactregistry.reader": _REGISTRY_READ,
    "roles/artifactregistry.repoAdmin": _REGISTRY_WRITE
    | _of("artifactregistry.repositories", ("deleteArtifacts",))
    | _of("artifactregistry.packages", ("delete",))
    | _of("artifactregistry.versions", ("delete",))
    | _of("artifactregistry.tags", ("delete",)),
    "roles/artifactregistry.serviceAgent": _PUBSUB_PUBLISH,
    "roles/artifactregistry.writer": _REGISTRY_WRITE,
    "roles/billing.viewer": _of("billing.accounts", ("get", "list"))
    | _of("billing.budgets", ("get", "list"))
    | _of("billing.resourceAssociations", ("list",)),
    "roles/billing.projectManager": frozenset(
        {"resourcemanager.projects.createBillingAssignment", "resourcemanager.projects.get"}
    ),
    "roles/billing.costsManager": _of("billing.budgets", _CRUD)
    | _of("billing.accounts", ("get", "list")),
    "roles/cloudbuild.builds.builder": _BUILD_EDIT
    | _REGISTRY_WRITE
    | _OBJECT_USE
    | _LOG_WRITE
    | _PUBSUB_PUBLISH
    | {"storage.buckets.create", "storage.buckets.get", "storage.buckets.list"},
    "roles/cloudbuild.builds.editor": _BUILD_EDIT | _PROJECT_READ,
    "roles/cloudbuild.builds.viewer": _BUILD_VIEW | _PROJECT_READ,
    "roles/cloudbuild.serviceAgent": _BUILD_EDIT
    | _TOKENS
    | _LOG_WRITE
    | _PUBSUB_PUBLISH
    | _OBJECT_READ,
    "roles/cloudkms.cryptoKeyEncrypterDecrypter": _of(
        "cloudkms.cryptoKeyVersions", ("useToDecrypt", "useToEncrypt")
    ),
    "roles/cloudkms.admin": _of(
        "cloudkms.cryptoKeys", ("get", "list", "getIamPolicy", "setIamPolicy")
    ),
    "roles/cloudquotas.admin": _QUOTA_VIEW | {"cloudquotas.quotas.update"},
    "roles/cloudquotas.viewer": _QUOTA_VIEW,
    "roles/eventarc.admin": _EVENTARC_ADMIN | _PROJECT_READ,
    "roles/eventarc.developer": _EVENTARC_READ
    | _of("eventarc.triggers", ("create", "delete", "update"))
    | _PROJECT_READ,
    "roles/eventarc.eventReceiver": frozenset({"eventarc.events.receiveEvent"}),
    "roles/eventarc.serviceAgent": _PUBSUB_EDIT
    | _of("storage.buckets", ("get", "update"))
    | {"iam.serviceAccounts.actAs", "iam.serviceAccounts.getOpenIdToken", "run.services.get"}
    | {"iam.serviceAccounts.getAccessToken", "workflows.workflows.get"},
    "roles/eventarc.viewer": _EVENTARC_READ | _PROJECT_READ,
    "roles/iam.securityReviewer": _ACCOUNT_READ
    | {"iam.serviceAccounts.getIamPolicy", "resourcemanager.projects.getIamPolicy"}
    | {"storage.buckets.getIamPolicy", "storage.buckets.list", "run.services.getIamPolicy"}
    | _of("artifactregistry.repositories", ("getIamPolicy", "list")),
    "roles/iam.serviceAccountAdmin": _ACCOUNT_ADMIN | _PROJECT_READ,
    "roles/iam.serviceAccountCreator": _ACCOUNT_READ | {"iam.serviceAccounts.create"},
    "roles/iam.serviceAccountDeleter": _ACCOUNT_READ | {"iam.serviceAccounts.delete"},
    "roles/iam.serviceAccountOpenIdTokenCreator": frozenset({"iam.serviceAccounts.getOpenIdToken"}),
    "roles/iam.serviceAccountTokenCreator": _TOKENS | _ACCOUNT_READ,
    "roles/iam.serviceAccountUser": _ACCOUNT_USE | _PROJECT_READ,
    "roles/iam.serviceAccountViewer": _ACCOUNT_READ | {"iam.serviceAccounts.getIamPolicy"},
    "roles/logging.admin": _LOG_ADMIN | _PROJECT_READ,
    "roles/logging.configWriter": _LOG_CONFIG | _PROJECT_READ,
    "roles/logging.logWriter": _LOG_WRITE,
    "roles/logging.privateLogViewer": _LOG_VIEW | _LOG_PRIVATE | _PROJECT_READ,
    "roles/logging.viewer": _LOG_VIEW | _PROJECT_READ,
    "roles/monitoring.admin": _MONITORING_EDIT | _PROJECT_READ,
    "roles/monitoring.editor": _MONITORING_EDIT | _PROJECT_READ,
    "roles/monitoring.metricWriter": _of("monitoring.metricDescriptors", ("create", "get", "list"))
    | {"monitoring.timeSeries.create"},
    "roles/monitoring.notificationServiceAgent": frozenset({"serviceusage.services.use"}),
    "roles/monitoring.viewer": _MONITORING_VIEW | _PROJECT_READ,
    "roles/orgpolicy.policyViewer": frozenset({"orgpolicy.policy.get", "orgpolicy.policies.list"}),
    "roles/pubsub.admin": _PUBSUB_ADMIN | _PROJECT_READ,
    "roles/pubsub.editor": _PUBSUB_EDIT | _PROJECT_READ,
    "roles/pubsub.publisher": _PUBSUB_PUBLISH,
    "roles/pubsub.serviceAgent": _TOKENS,
    "roles/pubsub.subscriber": _PUBSUB_SUBSCRIBE,
    "roles/pubsub.viewer": _PUBSUB_VIEW | _PROJECT_READ,
    "roles/resourcemanager.projectIamAdmin": _PROJECT_IAM,
    "roles/run.admin": _RUN_DEVELOP | _RUN_INVOKE | {"run.services.setIamPolicy"} | _PROJECT_READ,
    "roles/run.developer": _RUN_DEVELOP | _PROJECT_READ,
    "roles/run.invoker": _RUN_INVOKE,
    "roles/run.serviceAgent": _REGISTRY_READ
    | _TOKENS
    | _LOG_WRITE
    | {"iam.serviceAccounts.actAs", "run.routes.invoke", "storage.objects.get"},
    "roles/run.viewer": _RUN_READ | _PROJECT_READ,
    "roles/serviceusage.serviceUsageAdmin": _USAGE_ADMIN,
    "roles/serviceusage.serviceUsageConsumer": _USAGE_USE | _USAGE_OPERATIONS,
    "roles/serviceusage.serviceUsageViewer": _USAGE_READ,
    "roles/storage.admin": _BUCKET_ADMIN
    | _OBJECT_USE
    | _FOLDER_READ
    | _of("storage.objects", _POLICY)
    | _PROJECT_READ,
    "roles/storage.legacyBucketOwner": _of("storage.buckets", ("get", "update", *_POLICY))
    | _of("storage.objects", ("create", "delete", "list", "restore"))
    | _FOLDER_READ,
    "roles/storage.legacyBucketReader": _FOLDER_READ
    | {"storage.buckets.get", "storage.objects.list"},
    "roles/storage.legacyBucketWriter": frozenset({"storage.buckets.get"})
    | _of("storage.objects", ("create", "delete", "list", "restore"))
    | _FOLDER_READ,
    "roles/storage.legacyObjectOwner": _of("storage.objects", ("get", "update", *_POLICY)),
    "roles/storage.legacyObjectReader": frozenset({"storage.objects.get"}),
    "roles/storage.objectAdmin": _OBJECT_USE
    | _FOLDER_READ
    | _of("storage.objects", _POLICY)
    | _PROJECT_READ,
    "roles/storage.objectCreator": frozenset({"storage.objects.create"}) | _PROJECT_READ,
    "roles/storage.objectUser": _OBJECT_USE | _FOLDER_READ | _PROJECT_READ,
    "roles/storage.objectViewer": _OBJECT_READ | _FOLDER_READ | _PROJECT_READ,
    "roles/workflows.admin": _WORKFLOWS_EDIT | _PROJECT_READ,
    "roles/workflows.editor": _WORKFLOWS_EDIT | _PROJECT_READ,
    "roles/workflows.invoker": _WORKFLOWS_INVOKE | _PROJECT_READ,
    "roles/workflows.serviceAgent": _TOKENS | _LOG_WRITE,
    "roles/workflows.viewer": _WORKFLOWS_READ | _PROJECT_READ,
}

KNOWN_PERMISSIONS = frozenset().union(*ROLES.values()) - {"*"}
"""Every permission that some role here grants; a method that asks for another one is a mistake."""

# Owners hold neither the data of objects (Cloud Storage gives them that through the bucket's own
# policy) nor tokens of accounts (that takes roles/iam.serviceAccountTokenCreator).
_NOT_IN_OWNER = ("storage.objects.",)


def grants(role: str, permission: str) -> bool:
    """Whether a role contains a permission; a role that is not emulated contains none."""
    permissions = ROLES.get(role, frozenset())
    if "*" in permissions:
        return permission not in _TOKENS and not permission.startswith(_NOT_IN_OWNER)
    return permission in permissions


def touches(role: str, prefix: str) -> bool:
    """Whether a role contains a permission that begins so; basic roles contain some of each."""
    return any(permission == "*" or permission.startswith(prefix) for permission in ROLES[role])
