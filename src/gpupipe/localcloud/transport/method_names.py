"""Short names of methods, as Google's own logs and discovery documents have them.

"/google.cloud.run.v2.Services/CreateService" is "run.services.create". The request log shows these
names, and faults are put on them.
"""

import re

# gRPC service -> (API, the collection of methods that name none: GetIamPolicy, GenerateIdToken).
_SERVICES = {
    "google.api.cloudquotas.v1.CloudQuotas": ("cloudquotas", "quotaInfos"),
    "google.api.serviceusage.v1.ServiceUsage": ("serviceusage", "services"),
    "google.cloud.billing.budgets.v1.BudgetService": ("billingbudgets", "budgets"),
    "google.cloud.billing.v1.CloudBilling": ("cloudbilling", "projects"),
    "google.cloud.eventarc.v1.Eventarc": ("eventarc", "triggers"),
    "google.cloud.kms.v1.KeyManagementService": ("cloudkms", "cryptoKeys"),
    "google.cloud.orgpolicy.v2.OrgPolicy": ("orgpolicy", "policies"),
    "google.cloud.resourcemanager.v3.Projects": ("cloudresourcemanager", "projects"),
    "google.cloud.run.v2.Revisions": ("run", "revisions"),
    "google.cloud.run.v2.Services": ("run", "services"),
    "google.cloud.workflows.executions.v1.Executions": ("workflowexecutions", "executions"),
    "google.cloud.workflows.v1.Workflows": ("workflows", "workflows"),
    "google.devtools.artifactregistry.v1.ArtifactRegistry": ("artifactregistry", "repositories"),
    "google.devtools.cloudbuild.v1.CloudBuild": ("cloudbuild", "builds"),
    "google.iam.admin.v1.IAM": ("iam", "serviceAccounts"),
    "google.iam.credentials.v1.IAMCredentials": ("iamcredentials", "serviceAccounts"),
    "google.logging.v2.ConfigServiceV2": ("logging", "sinks"),
    "google.logging.v2.LoggingServiceV2": ("logging", "entries"),
    "google.logging.v2.MetricsServiceV2": ("logging", "metrics"),
    "google.longrunning.Operations": ("longrunning", "operations"),
    "google.monitoring.dashboard.v1.DashboardsService": ("monitoring", "dashboards"),
    "google.monitoring.v3.AlertPolicyService": ("monitoring", "alertPolicies"),
    "google.monitoring.v3.MetricService": ("monitoring", "timeSeries"),
    "google.monitoring.v3.NotificationChannelService": ("monitoring", "notificationChannels"),
    "google.pubsub.v1.Publisher": ("pubsub", "topics"),
    "google.pubsub.v1.Subscriber": ("pubsub", "subscriptions"),
}
_METHOD = re.compile(r"(BatchGet|BatchEnable|BatchDisable|[A-Z][a-z]+)(\w*)")
_WITHOUT_COLLECTION = frozenset({"IamPolicy", "IamPermissions", "IdToken", "AccessToken"})


def method_name(path: str) -> str:
    """The short name of a gRPC path; a path of no known service stays as it is, without the slash."""
    service, _, method = path.removeprefix("/").rpartition("/")
    matched = _METHOD.fullmatch(method)
    if service not in _SERVICES or matched is None:
        return path.removeprefix("/")
    api, collection = _SERVICES[service]
    verb, noun = matched.groups()
    if noun in _WITHOUT_COLLECTION or not noun:
        return f"{api}.{collection}.{_lower(method)}"
    return f"{api}.{_plural(_lower(noun))}.{_lower(verb)}"


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]


def _plural(noun: str) -> str:
    if noun.endswith("s"):
        return noun
    return noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
