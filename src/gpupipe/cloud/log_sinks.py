"""Cloud Logging's sinks: log entries, exported as files to a bucket."""

from dataclasses import dataclass, field
from typing import Any

from gpupipe.cloud.api import Api
from gpupipe.cloud.call import none_if_missing
from gpupipe.cloud.causes import API_USABLE
from gpupipe.cloud.errors import ApiError, is_code

_FIELDS = ("destination", "filter", "description", "disabled")
_BUCKET = "storage.googleapis.com/"


@dataclass(frozen=True, slots=True)
class LogSink:
    """A sink of a project. name: without the project; bucket: where the entries that fit `filter` go.

    writer: the member that Cloud Logging writes as, "" before it is there.
    """

    name: str
    bucket: str
    filter: str
    description: str
    disabled: bool = False
    writer: str = field(default="", compare=False)


class LogSinksApi(Api):
    """The calls that gpupipe needs of Cloud Logging's sinks."""

    def get(self, project: str, name: str) -> LogSink | None:
        """The sink of this name, or None."""
        full = f"projects/{project}/sinks/{name}"
        method = self._client.get_sink
        found = none_if_missing(
            lambda: self._unary("Reading the log sink", full, method, {"sink_name": full})
        )
        return None if found is None else _sink(found)

    def create(self, project: str, wanted: LogSink) -> LogSink:
        """Make a sink; one that an attempt whose answer was lost has made is set to what is wanted."""
        parent = f"projects/{project}"
        request = {"parent": parent, "sink": _message(wanted), "unique_writer_identity": True}
        try:
            made = self._unary(
                "Creating the log sink",
                f"{parent}/sinks/{wanted.name}",
                self._client.create_sink,
                request,
                causes=(API_USABLE,),
            )
        except ApiError as error:
            if not is_code(error, "ALREADY_EXISTS"):
                raise
            return self.update(project, wanted)
        return _sink(made)

    def update(self, project: str, wanted: LogSink) -> LogSink:
        """Set the sink of this name to what is wanted."""
        full = f"projects/{project}/sinks/{wanted.name}"
        request = {
            "sink_name": full,
            "sink": _message(wanted),
            "update_mask": {"paths": list(_FIELDS)},
            "unique_writer_identity": True,
        }
        return _sink(self._unary("Updating the log sink", full, self._client.update_sink, request))

    def delete(self, project: str, name: str) -> None:
        """Delete a sink; one that is gone already is fine."""
        full = f"projects/{project}/sinks/{name}"
        method = self._client.delete_sink
        none_if_missing(
            lambda: self._unary("Deleting the log sink", full, method, {"sink_name": full})
        )

    @property
    def _client(self) -> Any:
        return self._clients.client("log_sinks")


def _message(wanted: LogSink) -> dict[str, Any]:
    return {
        "name": wanted.name,
        "destination": _BUCKET + wanted.bucket,
        "filter": wanted.filter,
        "description": wanted.description,
        "disabled": wanted.disabled,
    }


def _sink(found: Any) -> LogSink:
    return LogSink(
        name=str(found.name),
        bucket=str(found.destination).removeprefix(_BUCKET),
        filter=str(found.filter),
        description=str(found.description),
        disabled=bool(found.disabled),
        writer=str(found.writer_identity),
    )
