"""What is checked before a service is written: its description, quotas, account, traffic."""

from typing import Any

from gpupipe.localcloud.errors import already_exists
from gpupipe.localcloud.kernel.act_as import account_to_act_as
from gpupipe.localcloud.kernel.caller import Caller
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.run import defaults, quotas, rules, traffic
from gpupipe.localcloud.services.run.conditions import is_ready
from gpupipe.localcloud.services.run.names import ServiceName
from gpupipe.localcloud.services.run.revisions import is_of_template
from gpupipe.localcloud.services.run.rule import Shape
from gpupipe.localcloud.services.run.store import Store


def complete_and_check(
    kernel: Kernel, store: Store, caller: Caller, name: ServiceName, service: Any
) -> None:
    """Fill in the defaults and raise the first refusal; whether the image exists is not asked.

    Google's own deployer validates a service before its image is built (gcp-facts §2).
    """
    project = kernel.projects.ensure(name.project)
    defaults.fill_in(service, project.number)
    rules.check(name.service, service)
    shape = Shape(name.service, service)
    if not service.template.scaling.max_instance_count:
        most = quotas.default_maximum(kernel.quotas, name.project, name.region, shape)
        service.template.scaling.max_instance_count = most
    quotas.check(kernel.quotas, name.project, name.region, shape)
    traffic.check_targets(store, service)
    _check_revision_name(store, name, service)
    account = service.template.service_account
    account_to_act_as(kernel.identity, kernel.authorizer, caller, account)


def _check_revision_name(store: Store, name: ServiceName, service: Any) -> None:
    wanted = service.template.revision
    taken = store.revision(f"{name}/revisions/{wanted}") if wanted else None
    if taken is not None and not (is_of_template(taken, service) and is_ready(taken)):
        raise already_exists(f"Revision '{wanted}' already exists.")  # own words
