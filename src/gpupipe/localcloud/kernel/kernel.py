"""The kernel: the shared parts that each emulated API is built with, wired once by the daemon."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from gpupipe.core.clock import Clock
from gpupipe.localcloud.kernel.agents import ServiceAgents
from gpupipe.localcloud.kernel.audit import AuditLogs
from gpupipe.localcloud.kernel.authorization import Authorizer
from gpupipe.localcloud.kernel.behaviour import Behaviour
from gpupipe.localcloud.kernel.billing import Billing
from gpupipe.localcloud.kernel.caller import OPERATOR
from gpupipe.localcloud.kernel.clock import MovableClock
from gpupipe.localcloud.kernel.delays import Delays
from gpupipe.localcloud.kernel.denials import Denials
from gpupipe.localcloud.kernel.events import Events
from gpupipe.localcloud.kernel.faults import Faults
from gpupipe.localcloud.kernel.identity import Identity
from gpupipe.localcloud.kernel.incidents import Incidents
from gpupipe.localcloud.kernel.logs import Logs
from gpupipe.localcloud.kernel.metrics import Metrics
from gpupipe.localcloud.kernel.operations import Operations
from gpupipe.localcloud.kernel.outside import Outside
from gpupipe.localcloud.kernel.pace import Pace
from gpupipe.localcloud.kernel.policies import Policies
from gpupipe.localcloud.kernel.projects import Project, Projects
from gpupipe.localcloud.kernel.quotas import Quotas
from gpupipe.localcloud.kernel.registry_images import Images
from gpupipe.localcloud.kernel.timers import Timers
from gpupipe.localcloud.kernel.topics import Topics
from gpupipe.localcloud.kernel.workflow_runs import WorkflowRuns
from gpupipe.localcloud.settings import Settings
from gpupipe.localcloud.store.database import Database
from gpupipe.localcloud.store.resources import Resources

# The operator's roles on every project. Owners alone do not hold the data of objects.
_OPERATOR_ROLES = ("roles/owner", "roles/storage.admin")
# What a project made by the console or gcloud has from the start, of the APIs that are emulated
# (cloud.google.com/service-usage/docs/enabled-service).
# cloudresourcemanager is a local rule: on Google the call counts on the project that pays.
_FIRST_APIS = ("cloudresourcemanager", "logging", "monitoring", "serviceusage", "storage")


def _no_loop() -> asyncio.AbstractEventLoop:
    raise RuntimeError("the HTTP listener has not started")


@dataclass(slots=True)
class Kernel:
    """Everything that services share.

    http: "http://127.0.0.1:PORT", set when the HTTP listener has its port (before services start).
    loop: the one asyncio loop, of the front door and of executions; usable from `start()` on.
    log_database: the file of log entries, requests and samples, not synced; state never goes there.
    """

    settings: Settings
    clock: MovableClock
    timers: Timers
    faults: Faults
    pace: Pace
    database: Database
    log_database: Database
    behaviour: Behaviour
    delays: Delays
    billing: Billing
    denials: Denials
    resources: Resources
    projects: Projects
    policies: Policies
    authorizer: Authorizer
    agents: ServiceAgents
    identity: Identity
    operations: Operations
    outside: Outside
    events: Events
    logs: Logs
    audit: AuditLogs
    metrics: Metrics
    incidents: Incidents
    images: Images
    quotas: Quotas
    topics: Topics
    workflow_runs: WorkflowRuns
    http: str = ""
    loop: Callable[[], asyncio.AbstractEventLoop] = _no_loop


def build_kernel(settings: Settings, base_clock: Clock) -> Kernel:
    """The kernel over the files in `settings.home`, which are made when they are missing."""
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.home.chmod(0o700)
    for folder in (settings.objects, settings.images, settings.instances):
        folder.mkdir(mode=0o700, exist_ok=True)
    database = Database(settings.database)
    log_database = Database(settings.logs, durable=False)
    behaviour, faults = Behaviour(database), Faults()
    clock, pace = MovableClock(base_clock, behaviour), Pace(behaviour, faults)
    timers, delays = Timers(clock), Delays(database, clock, behaviour)
    projects, policies = Projects(database, clock, delays), Policies(database, delays)
    agents = ServiceAgents(database, projects, policies)

    def on_create(project: Project) -> None:
        for role in _OPERATOR_ROLES:
            policies.grant(project.name, role, OPERATOR.member)
        for api in _FIRST_APIS:
            projects.set_enabled(project.id, f"{api}.googleapis.com", enabled=True)

    projects.on_create(on_create)
    resources, denials, logs = Resources(database), Denials(database), Logs(log_database, clock)
    authorizer = Authorizer(policies, projects, denials)
    return Kernel(
        settings=settings,
        clock=clock,
        timers=timers,
        faults=faults,
        pace=pace,
        database=database,
        log_database=log_database,
        behaviour=behaviour,
        delays=delays,
        billing=Billing(database),
        denials=denials,
        resources=resources,
        projects=projects,
        policies=policies,
        authorizer=authorizer,
        agents=agents,
        identity=Identity(settings, database, clock, policies, agents, delays),
        operations=Operations(database, clock, timers, pace),
        outside=Outside(resources, projects, policies, authorizer, agents),
        events=Events(database),
        logs=logs,
        audit=AuditLogs(policies, logs),
        metrics=Metrics(log_database, clock),
        incidents=Incidents(log_database),
        images=Images(database, clock, settings.images),
        quotas=Quotas(database),
        topics=Topics(resources, policies),
        workflow_runs=WorkflowRuns(resources),
    )
