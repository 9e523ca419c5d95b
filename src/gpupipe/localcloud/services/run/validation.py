"""What is checked before a service is written: its description, regions, quotas, account."""

from typing import Any

from gpupipe.localcloud.errors import already_exists, failed_precondition
from gpupipe.localcloud.kernel.act_as import account_to_act_as
from gpupipe.localcloud.kernel.caller import Caller
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.run import defaults, gpu_regions, network, quotas, rules
from gpupipe.localcloud.services.run.conditions import is_ready
from gpupipe.localcloud.services.run.names import API, ServiceName
from gpupipe.localcloud.services.run.revisions import is_of_template
from gpupipe.localcloud.services.run.rule import Shape
from gpupipe.localcloud.services.run.store import Store


def complete_and_check(
    kernel: Kernel, store: Store, caller: Caller, name: ServiceName, service: Any
) -> None:
    """Fill in the defaults and raise the first refusal; whether the image exists is not asked.

    Google's own deployer validates a service before its image is built.
    """
    project = kernel.projects.ensure(name.project)
    defaults.fill_in(service, project.number)
    rules.check(name.service, service)
    shape = Shape(name.service, service)
    gpu_regions.check(kernel.quotas, name, shape)
    network.check(kernel.outside, name, service.template)
    if not shape.most:
        most = quotas.default_maximum(kernel.quotas, name, shape)
        service.template.scaling.max_instance_count = most
    quotas.check(kernel.quotas, name, shape, _earlier_maximum(store, name, shape))
    _check_revision_name(store, name, service)
    if key := service.template.encryption_key:
        kernel.outside.check_key(
            key,
            project=project.id,
            location=name.region,
            api=API,
            path="service.template.encryption_key",
        )
    account = service.template.service_account
    owner = account_to_act_as(kernel.identity, kernel.authorizer, caller, account).project
    if owner != project.id:
        # Google's default organisation policy; code and words are ours.
        raise failed_precondition(
            f"Service account {account} is of project {owner}: a service of {project.id} may not "
            "run as it (iam.disableCrossProjectServiceAccountUsage)."
        )


def _earlier_maximum(store: Store, name: ServiceName, shape: Shape) -> int:
    """What a first GPU is counted with: the largest maximum of the service's revisions."""
    old = store.service(str(name))
    if old is None or Shape(name.service, old).has_gpu:
        return 0
    counts = [one.scaling.max_instance_count for one in store.revisions(str(name))]
    return max(counts, default=0) if shape.has_gpu else 0


def _check_revision_name(store: Store, name: ServiceName, service: Any) -> None:
    wanted = service.template.revision
    taken = store.revision(f"{name}/revisions/{wanted}") if wanted else None
    if taken is not None and not (is_of_template(taken, service) and is_ready(taken)):
        raise already_exists(f"Revision '{wanted}' already exists.")  # own words
