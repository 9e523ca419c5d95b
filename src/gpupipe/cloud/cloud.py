"""The cloud as the deploy engine sees it: one facade an API, all over the same clients."""

from dataclasses import dataclass

from gpupipe.cloud.alerts import AlertsApi
from gpupipe.cloud.artifact_registry import ArtifactRegistryApi
from gpupipe.cloud.audit_configs import AuditConfigsApi
from gpupipe.cloud.billing import BillingApi
from gpupipe.cloud.budgets import BudgetsApi
from gpupipe.cloud.builds import BuildsApi
from gpupipe.cloud.call import Caller
from gpupipe.cloud.clients import Clients
from gpupipe.cloud.dashboards import DashboardsApi
from gpupipe.cloud.eventarc import EventarcApi
from gpupipe.cloud.executions import ExecutionsApi
from gpupipe.cloud.iam import IamApi
from gpupipe.cloud.keys import KeysApi
from gpupipe.cloud.log_metrics import LogMetricsApi
from gpupipe.cloud.log_sinks import LogSinksApi
from gpupipe.cloud.logging import LoggingApi
from gpupipe.cloud.metrics import MetricsApi
from gpupipe.cloud.org_policies import OrgPolicyApi
from gpupipe.cloud.projects import ProjectsApi
from gpupipe.cloud.pubsub import PubSubApi
from gpupipe.cloud.quotas import QuotasApi
from gpupipe.cloud.run import RunApi
from gpupipe.cloud.service_health import ServiceHealthApi
from gpupipe.cloud.service_usage import ServiceUsageApi
from gpupipe.cloud.step_entries import StepEntriesApi
from gpupipe.cloud.storage import StorageApi
from gpupipe.cloud.workflows import WorkflowsApi


@dataclass(frozen=True, slots=True)
class Cloud:
    """The facades."""

    storage: StorageApi
    service_usage: ServiceUsageApi
    projects: ProjectsApi
    iam: IamApi
    registry: ArtifactRegistryApi
    builds: BuildsApi
    run: RunApi
    health: ServiceHealthApi
    workflows: WorkflowsApi
    executions: ExecutionsApi
    steps: StepEntriesApi
    eventarc: EventarcApi
    pubsub: PubSubApi
    logging: LoggingApi
    quotas: QuotasApi
    billing: BillingApi
    budgets: BudgetsApi
    keys: KeysApi
    metrics: MetricsApi
    log_metrics: LogMetricsApi
    log_sinks: LogSinksApi
    audit_configs: AuditConfigsApi
    alerts: AlertsApi
    dashboards: DashboardsApi
    org_policies: OrgPolicyApi
    caller: Caller


def connect(clients: Clients, caller: Caller) -> Cloud:
    """The facades over these clients."""
    return Cloud(
        storage=StorageApi(clients, caller),
        service_usage=ServiceUsageApi(clients, caller),
        projects=ProjectsApi(clients, caller),
        iam=IamApi(clients, caller),
        registry=ArtifactRegistryApi(clients, caller),
        builds=BuildsApi(clients, caller),
        run=RunApi(clients, caller),
        health=ServiceHealthApi(clients, caller),
        workflows=WorkflowsApi(clients, caller),
        executions=ExecutionsApi(clients, caller),
        steps=StepEntriesApi(clients, caller),
        eventarc=EventarcApi(clients, caller),
        pubsub=PubSubApi(clients, caller),
        logging=LoggingApi(clients, caller),
        quotas=QuotasApi(clients, caller),
        billing=BillingApi(clients, caller),
        budgets=BudgetsApi(clients, caller),
        keys=KeysApi(clients, caller),
        metrics=MetricsApi(clients, caller),
        log_metrics=LogMetricsApi(clients, caller),
        log_sinks=LogSinksApi(clients, caller),
        audit_configs=AuditConfigsApi(clients, caller),
        alerts=AlertsApi(clients, caller),
        dashboards=DashboardsApi(clients, caller),
        org_policies=OrgPolicyApi(clients, caller),
        caller=caller,
    )
