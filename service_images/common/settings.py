"""Settings that every service reads from its environment, and how to read more.

Contract: a variable that is set but wrong stops the service at start with a sentence that names
it; an empty variable counts as not set.
"""

from collections.abc import Mapping
from dataclasses import dataclass


class SettingError(Exception):
    """A variable of the environment cannot be used."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Reads typed values from environment variables."""

    variables: Mapping[str, str]

    def text(self, name: str, default: str = "") -> str:
        """The variable, or the default."""
        return self.variables.get(name, "").strip() or default

    def number(self, name: str, default: int, *, least: int = 1) -> int:
        """A whole number of at least `least`."""
        text = self.text(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit()) or int(text) < least:
            raise SettingError(f"{name} must be a whole number of at least {least}")
        return int(text)

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """One of `allowed`, in any case."""
        text = self.text(name, default).lower()
        if text not in allowed:
            raise SettingError(f"{name} must be one of {', '.join(allowed)}")
        return text


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What all three services share."""

    service: str
    project: str | None
    host: str
    port: int
    work_bucket: str
    output_bucket: str


def service_settings(environment: Environment, service: str) -> ServiceSettings:
    """The shared settings; `service` is the name when SERVICE_NAME is not set."""
    return ServiceSettings(
        service=environment.text("SERVICE_NAME", service),
        project=environment.text("GOOGLE_CLOUD_PROJECT") or None,
        # All interfaces, as Cloud Run's container contract asks for.
        host=environment.text("HOST", "0.0.0.0"),  # noqa: S104
        port=environment.number("PORT", 8080),
        work_bucket=environment.text("WORK_BUCKET"),
        output_bucket=environment.text("OUTPUT_BUCKET"),
    )


def required(value: str, variable: str) -> str:
    """`value`, without which the service cannot start. Raises SettingError."""
    if not value:
        raise SettingError(f"{variable} is not set")
    return value
