"""A build's log: entries of resource type `build`, in the form that `gcloud builds log` reads."""

from typing import Any

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.cloudbuild import messages

WRITE = "logging.logEntries.create"


class BuildLog:
    """Writes as the build's account: without its right to write logs there are none.

    What Google does then is UNSURE; here the build goes on and carries a warning.
    """

    def __init__(self, kernel: Kernel, build: Any, project: str, member: str) -> None:
        self._kernel = kernel
        self._project = project
        self._labels = {"build_id": build.id, "build_trigger_id": ""}
        self._tags = ",".join(build.tags)
        self._wanted = build.options.logging != messages.NO_LOGGING
        self.allowed = kernel.authorizer.allowed(member, WRITE, f"projects/{project}")

    def line(self, text: str) -> None:
        """One line."""
        if self._wanted and self.allowed:
            self._kernel.logs.write(
                f"projects/{self._project}/logs/cloudbuild",
                "build",
                self._labels,
                "INFO",
                text,
                labels={"build_tags": self._tags} if self._tags else {},
            )

    def warn(self, build: Any, email: str) -> None:
        """Say on the build that its account may not write logs."""
        if self._wanted and not self.allowed:
            build.warnings.add(
                text=f"The service account {email} may not write logs: grant it "
                "roles/logging.logWriter.",
                priority=messages.WARNING,
            )
