"""The outputs of the recipe that gpupipe replaces, under the names that its users know.

All 35 of its Terraform module and all 11 of its Infrastructure Manager configuration. Where the
recipe gave commands, these are gpupipe's, for the recipe's own do not work on private services; one
pipeline account was replaced by six, of which `service_account_email` is the workflow's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from gpupipe.cloud.errors import ApiError, is_code
from gpupipe.cloud.run import Observed
from gpupipe.cloud.workflows import Workflow
from gpupipe.core.names import ACCOUNTS, SERVICES
from gpupipe.core.prices import Prices, prices
from gpupipe.core.quantities import memory_bytes, milli_cpu
from gpupipe.deploy.carriers import trigger_location
from gpupipe.deploy.costs import ELSEWHERE, cost_of, text
from gpupipe.deploy.spec import APIS, PipelineSpec
from gpupipe.deploy.step import World

T = TypeVar("T")
_NO_PRICE = "not known to gpupipe"


@dataclass(frozen=True, slots=True)
class Found:
    """What is read for the outputs; None and empty where it is not there.

    dashboard: its address; log_sink: its id.
    """

    uris: Mapping[str, str]
    inference: Observed | None
    workflow: Workflow | None
    trigger_uid: str
    dashboard: str
    log_sink: str
    apis: frozenset[str]


def read(world: World, uris: Mapping[str, str]) -> Found:
    """Read what the outputs tell of; all reads run at once."""
    cloud, spec = world.cloud, world.spec
    inference = world.meanwhile(lambda: cloud.run.get(spec.service_name("gpu-inference")))
    workflow = world.meanwhile(lambda: cloud.workflows.get(spec.workflow_name))
    trigger = world.meanwhile(
        lambda: cloud.eventarc.get(spec.trigger(trigger_location(world)).name)
    )
    board = world.meanwhile(lambda: _dashboard(world))
    sink = world.meanwhile(lambda: _log_sink(world))
    apis = cloud.service_usage.enabled(spec.names.project) & APIS
    found = trigger()
    uid = found.uid if found else ""
    return Found(uris, inference(), workflow(), uid, board(), sink(), apis)


def _dashboard(world: World) -> str:
    """The address of ours; "" where there is none, and where it may not be seen."""
    spec, api = world.spec, world.cloud.dashboards
    boards = _if_allowed(lambda: api.labelled(spec.names.project, spec.identity))
    return api.url(boards[0].resource) if boards else ""


def _log_sink(world: World) -> str:
    names = world.spec.names
    sink = _if_allowed(lambda: world.cloud.log_sinks.get(names.project, names.log_sink))
    return sink.name if sink and sink.description.startswith(world.spec.mark) else ""


def _if_allowed(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except ApiError as error:
        if not is_code(error, "PERMISSION_DENIED"):
            raise
        return None


def outputs(spec: PipelineSpec, found: Found, options: str) -> dict[str, Any]:
    """By the recipe's names. options: what names this pipeline again on a command line."""
    names, uris = spec.names, found.uris
    url = {service: uris.get(service, "") for service in SERVICES}
    bucket = {role: names.bucket(role) for role in ("input", "models", "output")}
    return {
        "project_id": names.project,
        "region": names.region,
        "environment": spec.config.options.environment,
        "service_prefix": names.prefix,
        "input_bucket_name": bucket["input"],
        "input_bucket_url": f"gs://{bucket['input']}",
        "model_bucket_name": bucket["models"],
        "model_bucket_url": f"gs://{bucket['models']}",
        "models_bucket_name": bucket["models"],
        "output_bucket_name": bucket["output"],
        "output_bucket_url": f"gs://{bucket['output']}",
        "gpu_inference_service_name": names.service("gpu-inference"),
        "gpu_inference_service_url": url["gpu-inference"],
        "preprocess_service_name": names.service("preprocess"),
        "preprocess_service_url": url["preprocess"],
        "preprocessing_service_url": url["preprocess"],
        "postprocess_service_name": names.service("postprocess"),
        "postprocess_service_url": url["postprocess"],
        "postprocessing_service_url": url["postprocess"],
        "gpu_service_config": _config(found.inference),
        "workflow_name": names.workflow,
        "workflow_id": spec.workflow_name,
        "workflow_state": found.workflow.state if found.workflow else "",
        "eventarc_trigger_name": names.trigger,
        "eventarc_trigger_uid": found.trigger_uid,
        "trigger_name": names.trigger,
        "eventarc_service_account_email": names.account("eventarc"),
        "workflow_service_account_email": names.account("workflow"),
        "service_account_email": names.account("workflow"),
        "container_registry_name": names.repository,
        "container_registry_url": names.image("")[:-1],
        "monitoring_dashboard_url": found.dashboard or None,
        "log_sink_name": found.log_sink or None,
        "enabled_apis": sorted(found.apis),
        "pipeline_endpoints": _endpoints(url),
        "workflow_execution_commands": {
            "execute_workflow": f"gpupipe process gs://{bucket['input']}/your-test-file.txt{options}",
            "list_executions": f"gpupipe executions list{options}",
            "describe_workflow": f"gpupipe status{options}",
        },
        "testing_commands": {
            "upload_test_file": f"gpupipe test-upload{options}",
            "check_output": f"gpupipe results list{options}",
            "test_gpu_service": f"gpupipe status --check{options}",
            "test_preprocess": f"gpupipe status --check{options}",
            "test_postprocess": f"gpupipe status --check{options}",
        },
        "cost_estimation": _cost(found.inference, prices(names.region)),
        "security_configuration": _security(spec),
        "cleanup_commands": {
            "terraform_destroy": f"gpupipe destroy{options}",
            "manual_cleanup": [f"gpupipe destroy --dry-run{options}"],
        },
    }


def _config(found: Observed | None) -> dict[str, Any] | None:
    if found is None:
        return None
    service = found.service
    return {
        "memory_gb": memory_bytes(service.memory) / 2**30,
        "cpu_count": milli_cpu(service.cpu) / 1000,
        "gpu_count": 1 if service.accelerator else 0,
        "gpu_type": service.accelerator,
        "timeout_seconds": service.timeout_s,
        "concurrency": service.concurrency,
        "max_instances": service.max_instances,
    }


def _endpoints(url: Mapping[str, str]) -> dict[str, str]:
    return {
        "gpu_inference_health": f"{url['gpu-inference']}/health",
        "gpu_inference_predict": f"{url['gpu-inference']}/predict",
        "preprocess_health": f"{url['preprocess']}/health",
        "preprocess_endpoint": f"{url['preprocess']}/preprocess",
        "postprocess_health": f"{url['postprocess']}/health",
        "postprocess_endpoint": f"{url['postprocess']}/postprocess",
    }


def _cost(found: Observed | None, table: Prices) -> dict[str, str]:
    hour = _NO_PRICE
    if found is not None:
        hour = text(cost_of("gpu-inference", found.service, table).instance_hour, table)
    return {
        "gpu_cost_per_hour": hour,
        "storage_cost": _NO_PRICE,
        "cloud_run_cost": _NO_PRICE,
        "workflow_cost": _NO_PRICE,
        "note": f"Prices as of {table.as_of}; gpupipe cost tells more. Without a known price: "
        f"{', '.join(ELSEWHERE)}.",
    }


def _security(spec: PipelineSpec) -> dict[str, Any]:
    roles = {"roles/run.invoker"}
    for bindings in (
        spec.project_roles(""),
        spec.repository_roles,
        *(spec.bucket_roles(role) for role in ("input", "models", "output", "work", "staging")),
    ):
        roles |= {role for role, member in bindings if spec.is_ours(member)}
    return {
        "authentication_required": True,
        "service_accounts_created": [spec.names.account(role) for role in ACCOUNTS],
        "iam_roles_granted": sorted(roles),
    }
