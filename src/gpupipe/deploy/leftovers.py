"""Something that is still there after a destroy, and the command that removes it by hand.

The commands are Google's own, which the local cloud understands as well. There, what a destroy knows by
its name needs none of Google's programs: a destroy that goes on after a failure removes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gpupipe.deploy.spec import PipelineSpec

# By kind. N: name, M and O: the other parts of a name that has them, with a word between two.
_COMMANDS = {
    "bucket": "storage rm --recursive gs://{N}",
    "service": "run services delete {N} --region {R} --project {P}",
    "workflow": "workflows delete {N} --location {R} --project {P}",
    # {N} is what the names begin with; the ids of policies and dashboards are Google's.
    "log metrics": "logging metrics delete NAME --project {P} (their names begin with {N})",
    "log sink": "logging sinks delete {N} --project {P}",
    # Without the key auditConfigs in the file gcloud leaves them as they are.
    "audit logs": "projects set-iam-policy {P} FILE (FILE: what gcloud projects get-iam-policy {P} "
    "--format json says, with what nobody wants taken out of auditConfigs, which may be [])",
    "alert policies": "monitoring policies delete ID --project {P} (IDs of {N}…: gcloud monitoring "
    "policies list --project {P})",
    "dashboard": "monitoring dashboards delete ID --project {P} (ID of {N}: gcloud monitoring "
    "dashboards list --project {P})",
    # The id of a budget is Google's: its list shows it beside the display name.
    "budget": "billing budgets delete ID (the ID of {N}: gcloud billing budgets list "
    "--billing-account=ACCOUNT)",
    "trigger": "eventarc triggers delete {N} --location {R} --project {P}",
    "repository": "artifacts repositories delete {N} --location {R} --project {P}",
    "service account": "iam service-accounts delete {N}@{P}.iam.gserviceaccount.com --project {P}",
    "project binding": "projects remove-iam-policy-binding {P} --role '{N}' --member '{M}'",
    "bucket binding": "storage buckets remove-iam-policy-binding gs://{O} --role '{N}' --member '{M}'",
    "repository binding": "artifacts repositories remove-iam-policy-binding {O} --location {R} "
    "--project {P} --role '{N}' --member '{M}'",
    "topic": "pubsub topics delete {N} --project {P}",
    "subscription": "pubsub subscriptions delete {N} --project {P}",
    # Without ID it would delete all of the bucket's notifications, also those that are not ours.
    "bucket notification": "storage buckets notifications delete "
    "projects/_/buckets/{N}/notificationConfigs/ID (ID of the one to {M}: "
    "gcloud storage buckets notifications list gs://{N})",
}


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that is still there; `name` of a binding: "ROLE of MEMBER", or this and "on NAME".

    known: whether a destroy has it on its list; it was found by its label, mark or member otherwise.
    """

    kind: str
    name: str
    known: bool = field(default=True, compare=False)

    def command(self, spec: PipelineSpec, *, local: bool, keep: Sequence[str] = ()) -> str:
        """What to type to be rid of it; keep: the options that told the destroy what to keep."""
        names = spec.names
        if local and self.known:
            return (
                f"gpupipe destroy --local --project {names.project} --region {names.region} "
                f"--prefix {names.prefix} {' '.join([*keep, '--force'])}"
            )
        parts = dict(zip("NMO", self.name.split()[::2], strict=False))
        text = _COMMANDS[self.kind].format(**parts, R=names.region, P=names.project)
        command = f"gcloud {text}"
        return command.replace("gcloud ", "gpupipe local gcloud -- ") if local else command
