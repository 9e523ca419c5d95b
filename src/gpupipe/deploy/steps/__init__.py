"""The table of steps, in the order that people see; `needs` is the order that is enforced."""

from gpupipe.core.names import ACCOUNTS, LOGS, SERVICES
from gpupipe.deploy.step import Step
from gpupipe.deploy.steps.accounts import ServiceAccount
from gpupipe.deploy.steps.agents import Agent
from gpupipe.deploy.steps.alert_policies import AlertPolicies
from gpupipe.deploy.steps.apis import Apis
from gpupipe.deploy.steps.audit_logs import AuditLogs
from gpupipe.deploy.steps.buckets import DataBucket
from gpupipe.deploy.steps.budget import PipelineBudget
from gpupipe.deploy.steps.dashboard import PipelineDashboard
from gpupipe.deploy.steps.grants import ProjectGrants
from gpupipe.deploy.steps.images import Image
from gpupipe.deploy.steps.log_metrics import LogMetrics
from gpupipe.deploy.steps.log_sink import PipelineLogSink
from gpupipe.deploy.steps.repository import DockerRepository
from gpupipe.deploy.steps.services import RunService
from gpupipe.deploy.steps.trigger import StorageTrigger
from gpupipe.deploy.steps.workflow import PipelineWorkflow

STEPS: tuple[Step, ...] = (
    Apis(),
    Agent("run.googleapis.com", "roles/run.serviceAgent"),
    Agent("workflows.googleapis.com", "roles/workflows.serviceAgent"),
    Agent("eventarc.googleapis.com", "roles/eventarc.serviceAgent"),
    Agent("artifactregistry.googleapis.com", "roles/artifactregistry.serviceAgent", for_key=True),
    *(ServiceAccount(role) for role in ACCOUNTS),
    ProjectGrants(
        needs=("apis", *(f"account:{role}" for role in ("workflow", "eventarc", "build")))
    ),
    DockerRepository(),
    DataBucket("staging"),
    *(Image(service) for service in SERVICES),
    *(RunService(service) for service in SERVICES),
    *(DataBucket(role) for role in ("input", "models", "output", "work")),
    PipelineWorkflow(),
    StorageTrigger(),
    LogMetrics(),
    DataBucket(LOGS),
    PipelineLogSink(),
    AuditLogs(),
    AlertPolicies(),
    PipelineDashboard(),
    PipelineBudget(),
)
SHARED = frozenset(step.key for step in STEPS if isinstance(step, Apis | Agent))
"""Steps whose resource belongs to the project: destroy lists it as kept."""
