"""An error that a user sees: what happened, on which resource, what to do next, where to read."""

from enum import IntEnum


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


class UsageError(GpupipeError):
    """The command line, the environment or the configuration is wrong; nothing was started."""

    def __init__(
        self,
        brief: str,
        *,
        resolution: str,
        resource: str | None = None,
        details: str | None = None,
        doc: str = "reference/configuration.md",
    ) -> None:
        super().__init__(
            brief,
            resource=resource,
            details=details,
            resolution=resolution,
            doc=doc,
            exit=Exit.USAGE,
        )


class CredentialsError(GpupipeError):
    """There are no usable credentials, or they may not do this."""

    def __init__(
        self,
        brief: str,
        *,
        resolution: str,
        resource: str | None = None,
        details: str | None = None,
        doc: str = "reference/errors.md#credentials",
    ) -> None:
        super().__init__(
            brief,
            resource=resource,
            details=details,
            resolution=resolution,
            doc=doc,
            exit=Exit.CREDENTIALS,
        )
