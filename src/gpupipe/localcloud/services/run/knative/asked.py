"""A Knative service as the service of version 2 that it asks for; what has no place there is refused."""

from collections.abc import Mapping
from typing import Any

from gpupipe.localcloud.errors import invalid_argument, unimplemented
from gpupipe.localcloud.services.run import messages
from gpupipe.localcloud.services.run.knative import words
from gpupipe.localcloud.transport.rest_request import parse

_OUTPUT = frozenset(
    {"uid", "generation", "selfLink", "creationTimestamp", "deletionTimestamp", "namespace"}
)
_OUTPUT_ANNOTATIONS = frozenset(
    {words.CREATOR, words.MODIFIER, words.INGRESS_STATUS, words.OPERATION, words.URLS}
)
_OURS = (f"{words.OWN}/", f"{words.SERVING}/", f"{words.SCALING}/")
_CONTAINER = (
    "name", "image", "command", "args", "workingDir", "env", "ports", "startupProbe",
    "livenessProbe", "readinessProbe", "volumeMounts", "dependsOn",
)  # fmt: skip


class _Object:
    """A JSON object that is read once: what nobody asked for is refused by `close`."""

    def __init__(self, value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise invalid_argument(f"Invalid JSON payload received. {place} is no object.", place)
        self._left = {name: item for name, item in value.items() if item not in ("", {}, [], None)}
        self._place = place

    def take(self, name: str) -> Any:
        """A value, None where it is empty or not there."""
        return self._left.pop(name, None)

    def object(self, name: str) -> "_Object":
        """An object below, empty where there is none."""
        return _Object(self.take(name) or {}, f"{self._place}.{name}".lstrip("."))

    def rest(self) -> dict[str, Any]:
        """All that is left."""
        left, self._left = self._left, {}
        return left

    def close(self) -> None:
        """UNIMPLEMENTED for what is left, by its path."""
        for name in self._left:
            raise unimplemented(f"the field {self._place}.{name}".replace(" .", " "))


def service(body: Any) -> Any:
    """The service, without its name; its etag is the resourceVersion."""
    whole = _Object(body, "")
    whole.take("status")
    for name, wanted in (("apiVersion", words.API_VERSION), ("kind", "Service")):
        if (given := whole.take(name)) != wanted:
            raise invalid_argument(f"{name} must be {wanted!r}, not {given!r}.", name)
    found = _metadata(whole.object("metadata"))
    spec = whole.object("spec")
    found["template"] = _template(spec.object("template"))
    found["traffic"] = [
        _target(one, f"spec.traffic[{at}]") for at, one in enumerate(spec.take("traffic") or [])
    ]
    spec.close()
    whole.close()
    message = messages.Service()
    parse(_there(found), message)
    return message


def name_of(body: Any) -> str:
    """metadata.name of an object."""
    return str(_Object(body, "").object("metadata").take("name") or "")


def namespace_of(body: Any) -> str:
    """metadata.namespace of an object."""
    return str(_Object(body, "").object("metadata").take("namespace") or "")


def _metadata(given: _Object) -> dict[str, Any]:
    for name in ("name", *_OUTPUT):
        given.take(name)
    version = given.take("resourceVersion")
    notes = given.object("annotations")
    for name in _OUTPUT_ANNOTATIONS:
        notes.take(name)
    found = {
        "labels": _labels(given),
        "etag": f'"{version}"' if version else None,
        "client": notes.take(words.CLIENT),
        "clientVersion": notes.take(words.CLIENT_VERSION),
        "description": notes.take(words.DESCRIPTION),
        "launchStage": notes.take(words.LAUNCH_STAGE),
        "ingress": _named(words.INGRESSES, notes.take(words.INGRESS), words.INGRESS),
        "scaling": _there({"maxInstanceCount": _number(notes, words.SERVICE_MAX)}),
        "annotations": _others(notes, "metadata.annotations"),
    }
    given.close()
    return found


def _template(given: _Object) -> dict[str, Any]:
    metadata, spec = given.object("metadata"), given.object("spec")
    notes = metadata.object("annotations")
    for name in (words.CLIENT, words.CLIENT_VERSION):
        notes.take(name)
    throttled = _flag(notes, words.THROTTLING)
    resources = {
        "cpuIdle": throttled is not False,
        "startupCpuBoost": bool(_flag(notes, words.BOOST)),
    }
    timeout = spec.take("timeoutSeconds")
    found = {
        "revision": metadata.take("name"),
        "labels": _labels(metadata),
        "scaling": _there(
            {
                "minInstanceCount": _number(notes, words.MIN),
                "maxInstanceCount": _number(notes, words.MAX),
            }
        ),
        "executionEnvironment": _named(
            words.ENVIRONMENTS, notes.take(words.ENVIRONMENT), words.ENVIRONMENT
        ),
        "gpuZonalRedundancyDisabled": _flag(notes, words.NO_REDUNDANCY),
        "annotations": _others(notes, "spec.template.metadata.annotations"),
        "maxInstanceRequestConcurrency": spec.take("containerConcurrency"),
        "timeout": f"{timeout}s" if timeout is not None else None,
        "serviceAccount": spec.take("serviceAccountName"),
        "nodeSelector": _selector(spec.object("nodeSelector")),
        "containers": [
            _container(one, f"spec.template.spec.containers[{at}]", resources)
            for at, one in enumerate(spec.take("containers") or [])
        ],
    }
    for part in (metadata, spec, given):
        part.close()
    return _there(found)


def _container(value: Any, place: str, resources: Mapping[str, bool]) -> dict[str, Any]:
    given = _Object(value, place)
    asked = given.object("resources")
    found = {name: given.take(name) for name in _CONTAINER}
    found["env"] = [
        _variable(one, f"{place}.env[{at}]") for at, one in enumerate(found["env"] or [])
    ]
    found["resources"] = {**resources, **_there({"limits": asked.take("limits")})}
    asked.close()
    given.close()
    return _there(found)


def _variable(value: Any, place: str) -> dict[str, Any]:
    given = _Object(value, place)
    found = {"name": given.take("name"), "value": given.take("value")}
    given.close()
    return _there(found)


def _labels(metadata: _Object) -> dict[str, Any]:
    """The labels of an object; the one that says where it is comes from the server."""
    given = metadata.object("labels")
    given.take(words.LOCATION_LABEL)
    return given.rest()


def _selector(given: _Object) -> dict[str, Any]:
    found = _there({"accelerator": given.take(words.ACCELERATOR)})
    given.close()
    return found


def _target(value: Any, place: str) -> dict[str, Any]:
    given = _Object(value, place)
    given.take("url")
    latest, revision = given.take("latestRevision"), given.take("revisionName")
    found = {
        "type": words.LATEST if latest else words.REVISION,
        "revision": None if latest else revision,
        "percent": given.take("percent"),
        "tag": given.take("tag"),
    }
    given.close()
    return _there(found)


def _others(notes: _Object, place: str) -> dict[str, Any]:
    """The user's own annotations; those of Cloud Run that nothing here reads are refused."""
    left = notes.rest()
    for name in left:
        if name.startswith(_OURS):
            raise unimplemented(f"the annotation {name} of {place}")
    return left


def _number(notes: _Object, name: str) -> Any:
    text = notes.take(name)
    if text is not None and not (str(text).isascii() and str(text).isdecimal()):
        raise invalid_argument(f"The annotation {name} must be a whole number, not {text!r}.", name)
    return text


def _flag(notes: _Object, name: str) -> bool | None:
    text = notes.take(name)
    if text is None:
        return None
    if str(text).lower() not in {"true", "false"}:
        raise invalid_argument(f"The annotation {name} must be true or false, not {text!r}.", name)
    return str(text).lower() == "true"


def _named(names: Mapping[str, str], value: Any, name: str) -> str | None:
    if value is not None and value not in names:
        raise invalid_argument(f"The annotation {name} must be one of {', '.join(names)}.", name)
    return names.get(value)


def _there(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, {}, [])}
