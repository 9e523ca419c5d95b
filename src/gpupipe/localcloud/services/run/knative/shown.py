"""Services and revisions of version 2 as Knative's objects."""

import json
import re
from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict

from gpupipe.localcloud.services.run.knative import words

_STATES = {"CONDITION_SUCCEEDED": "True", "CONDITION_FAILED": "False"}
_KINDS = ("Ready", "ConfigurationsReady", "RoutesReady")
_REASONS = ("reason", "revisionReason", "executionReason")
_HIDDEN_IN_V1 = frozenset({"GA", "LAUNCH_STAGE_UNSPECIFIED"})


def service(message: Any, number: int) -> dict[str, Any]:
    """A service; number: its project's."""
    given = MessageToDict(message)
    place, _, name = given["name"].rpartition("/services/")
    own = f"/apis/{words.API_VERSION}/namespaces/{number}/services/{name}"
    metadata = _metadata(given, name, number, place, _service_annotations(given))
    return {
        "apiVersion": words.API_VERSION,
        "kind": "Service",
        "metadata": metadata | {"selfLink": own},
        "spec": {
            "template": _template(given.get("template", {})),
            "traffic": [_target(one, "") for one in given.get("traffic", [])],
        },
        "status": _service_status(given),
    }


def revision(message: Any, number: int) -> dict[str, Any]:
    """A revision."""
    given = MessageToDict(message)
    owner, _, name = given["name"].rpartition("/revisions/")
    place, _, service_id = owner.rpartition("/services/")
    metadata = _metadata(given, name, number, place, _template_annotations(given))
    metadata.setdefault("annotations", {}).update(_given(**{words.CREATOR: given.get("creator")}))
    metadata["labels"] |= {
        words.SERVICE_LABEL: service_id,
        f"{words.SERVING}/configuration": service_id,
    }
    own = f"/apis/{words.API_VERSION}/namespaces/{number}/revisions/{name}"
    return {
        "apiVersion": words.API_VERSION,
        "kind": "Revision",
        "metadata": metadata | {"selfLink": own},
        "spec": _spec(given),
        "status": _given(
            observedGeneration=int(given.get("observedGeneration", 0)),
            conditions=[_condition(one) for one in given.get("conditions", [])]
            or [{"type": "Ready", "status": "Unknown"}],
            logUrl=given.get("logUri"),
        ),
    }


def _metadata(
    given: Mapping[str, Any], name: str, number: int, place: str, annotations: dict[str, str]
) -> dict[str, Any]:
    location = place.rpartition("/")[2]
    return _given(
        name=name,
        namespace=str(number),
        uid=given.get("uid"),
        resourceVersion=given.get("etag", "").strip('"'),
        generation=int(given.get("generation", 1)),
        creationTimestamp=given.get("createTime"),
        deletionTimestamp=given.get("deleteTime"),
        labels={**given.get("labels", {}), words.LOCATION_LABEL: location},
        annotations=annotations,
    )


def _service_annotations(given: Mapping[str, Any]) -> dict[str, str]:
    ingress = _name_of(words.INGRESSES, given.get("ingress"))
    scaling = given.get("scaling", {})
    stage = given.get("launchStage", "")
    return dict(given.get("annotations", {})) | _given(
        **{
            words.CREATOR: given.get("creator"),
            words.MODIFIER: given.get("lastModifier"),
            words.CLIENT: given.get("client"),
            words.CLIENT_VERSION: given.get("clientVersion"),
            words.DESCRIPTION: given.get("description"),
            words.LAUNCH_STAGE: None if stage in _HIDDEN_IN_V1 else stage,
            words.INGRESS: ingress,
            words.INGRESS_STATUS: ingress,
            words.SERVICE_MAX: _text(scaling.get("maxInstanceCount")),
            words.URLS: json.dumps([given["uri"]]) if given.get("uri") else None,
        }
    )


def _service_status(given: Mapping[str, Any]) -> dict[str, Any]:
    latest = _short(given.get("latestReadyRevision"))
    uri = given.get("uri")
    return _given(
        observedGeneration=int(given.get("observedGeneration", 0)),
        conditions=_service_conditions(given),
        latestReadyRevisionName=latest,
        latestCreatedRevisionName=_short(given.get("latestCreatedRevision")),
        traffic=[_target(one, latest or "") for one in given.get("trafficStatuses", [])],
        url=uri,
        address={"url": uri} if uri else None,
    )


def _service_conditions(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Ready first; all are unknown while a change is on its way."""
    if given.get("reconciling"):
        return [{"type": kind, "status": "Unknown"} for kind in _KINDS]
    found = [given.get("terminalCondition", {}), *given.get("conditions", [])]
    return [_condition(one) for one in found if one.get("type")]


def _condition(given: Mapping[str, Any]) -> dict[str, Any]:
    reason = next((given[name] for name in _REASONS if given.get(name)), "")
    return _given(
        type=given["type"],
        status=_STATES.get(given.get("state", ""), "Unknown"),
        reason="".join(word.title() for word in reason.split("_")),
        message=given.get("message"),
        lastTransitionTime=given.get("lastTransitionTime"),
    )


def _target(given: Mapping[str, Any], latest: str) -> dict[str, Any]:
    of_latest = given.get("type") == words.LATEST
    return _given(
        percent=given.get("percent"),
        revisionName=latest if of_latest else given.get("revision"),
        latestRevision=of_latest or None,
        tag=given.get("tag"),
        url=given.get("uri"),
    )


def _template(given: Mapping[str, Any]) -> dict[str, Any]:
    metadata = _given(
        name=given.get("revision"),
        labels=given.get("labels"),
        annotations=_template_annotations(given),
    )
    return {"metadata": metadata, "spec": _spec(given)}


def _template_annotations(given: Mapping[str, Any]) -> dict[str, str]:
    scaling = given.get("scaling", {})
    resources = given.get("containers", [{}])[0].get("resources", {})
    redundancy = given.get("gpuZonalRedundancyDisabled")
    return dict(given.get("annotations", {})) | _given(
        **{
            words.MIN: _text(scaling.get("minInstanceCount")),
            words.MAX: _text(scaling.get("maxInstanceCount")),
            words.THROTTLING: None if resources.get("cpuIdle") else "false",
            words.BOOST: "true" if resources.get("startupCpuBoost") else None,
            words.ENVIRONMENT: _name_of(words.ENVIRONMENTS, given.get("executionEnvironment")),
            words.NO_REDUNDANCY: None if redundancy is None else str(redundancy).lower(),
        }
    )


def _spec(given: Mapping[str, Any]) -> dict[str, Any]:
    accelerator = given.get("nodeSelector", {}).get("accelerator")
    timeout = re.fullmatch(r"(\d+)(?:\.\d+)?s", given.get("timeout", ""))
    return _given(
        containerConcurrency=given.get("maxInstanceRequestConcurrency"),
        timeoutSeconds=int(timeout[1]) if timeout else None,
        serviceAccountName=given.get("serviceAccount"),
        nodeSelector={words.ACCELERATOR: accelerator} if accelerator else None,
        containers=[_container(one) for one in given.get("containers", [])],
        volumes=given.get("volumes"),
    )


def _container(given: Mapping[str, Any]) -> dict[str, Any]:
    limits = given.get("resources", {}).get("limits")
    return {**given, "resources": {"limits": limits} if limits else {}}


def _given(**values: Any) -> dict[str, Any]:
    """What there is, 0 included."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _short(name: str | None) -> str | None:
    return name.rpartition("/")[2] if name else None


def _name_of(names: Mapping[str, str], value: str | None) -> str | None:
    return next((name for name, other in names.items() if other == value), None)
