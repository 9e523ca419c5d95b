"""Which execution people mean: by its id or the beginning of it, by its file, or by its result."""

import re
from collections.abc import Iterator
from itertools import islice

from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.executions import Execution
from gpupipe.core.errors import UsageError
from gpupipe.deploy.follow import parsed
from gpupipe.deploy.results import newest
from gpupipe.deploy.spec import PipelineSpec

DOC = "reference/cli.md#executions-show"
_ID = re.compile(r"[0-9a-f]{4}[0-9a-f-]{0,32}")
_RESULT = re.compile(r"(results|errors)/.+\.[0-9]+\.json")
_LOOKED_AT = 2000


def find(cloud: Cloud, spec: PipelineSpec, which: str) -> Execution:
    """The newest execution of an id, a file or a result. UsageError where there is none."""
    found = next(filter(None, _candidates(cloud, spec, which)), None)
    if found is None:
        raise UsageError(
            f"There is no execution {which}, and none of such a file or result.",
            resource=spec.workflow_name,
            details=f"Of files without a result the newest {_LOOKED_AT:,} executions were looked at.",
            resolution="See which there are with `gpupipe executions list`.",
            doc=DOC,
        )
    return found


def _candidates(cloud: Cloud, spec: PipelineSpec, which: str) -> Iterator[Execution | None]:
    workflow, output = spec.workflow_name, spec.names.bucket("output")
    name = which
    for role in ("input", "output"):
        name = name.removeprefix(f"gs://{spec.names.bucket(role)}/")
    if _ID.fullmatch(which):
        yield cloud.executions.named(workflow, which)
    if _RESULT.fullmatch(name):
        yield _of_record(cloud, spec, cloud.storage.read(output, name))
    recent = islice(cloud.executions.each(workflow), _LOOKED_AT)
    yield next((one for one in recent if one.file == name), None)
    result = newest(cloud, spec, name)
    if result is not None:
        yield _of_record(cloud, spec, cloud.storage.read(output, result.object.name))


def _of_record(cloud: Cloud, spec: PipelineSpec, raw: bytes | None) -> Execution | None:
    """The execution that wrote a result or an error record."""
    name = str(parsed(raw).get("execution_id") or "")
    return cloud.executions.get(f"{spec.workflow_name}/executions/{name}") if name else None
