"""An error that a user sees: what happened, on which resource, what to do next, where to read."""

from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """Exit codes of the command line."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    DIFFERENCES = 3
    CREDENTIALS = 4
    LEFTOVERS = 5
    INTERRUPTED = 130


class GpupipeError(Exception):
    """Something that stops a command.

    brief: what happened, one sentence. resource: on which resource, its full name.
    details: further lines, or None. resolution: what to do next. doc: a page below docs/.
    """

    def __init__(
        self,
        brief: str,
        *,
        resource: str | None = None,
        details: str | None = None,
        resolution: str,
        doc: str,
        exit: Exit = Exit.FAILED,  # noqa: A002  # the word users read
    ) -> None:
        super().__init__(brief)
        self.brief = brief
        self.resource = resource
        self.details = details
        self.resolution = resolution
        self.doc = doc
        self.exit = exit


class _OneExitError(GpupipeError):
    """An error whose class says how the command exits, and which page is read when none is named."""

    _exit: ClassVar[Exit]
    _doc: ClassVar[str]

    def __init__(
        self,
        brief: str,
        *,
        resolution: str,
        resource: str | None = None,
        details: str | None = None,
        doc: str | None = None,
    ) -> None:
        super().__init__(
            brief,
            resource=resource,
            details=details,
            resolution=resolution,
            doc=doc or self._doc,
            exit=self._exit,
        )


class UsageError(_OneExitError):
    """The command line, the environment or the configuration is wrong; nothing was started."""

    _exit = Exit.USAGE
    _doc = "reference/configuration.md"


class CredentialsError(_OneExitError):
    """There are no usable credentials, or they may not do this."""

    _exit = Exit.CREDENTIALS
    _doc = "reference/errors.md#credentials"
