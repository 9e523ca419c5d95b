"""Checks of the project: who calls, whether it is there and paid for, APIs, permissions, policies."""

from collections.abc import Iterator

from gpupipe.cloud.permissions import (
    FOR_AUDIT_LOGS,
    FOR_LOG_SINK,
    NEEDED,
    ONLY_ON_PROJECT,
    role_for,
)
from gpupipe.core.errors import Exit
from gpupipe.deploy.preflight.finding import Finding, blocker, ok, warning
from gpupipe.deploy.step import World

_BILLING = "https://console.cloud.google.com/billing/linkedaccount?project={project}"
_INGRESS = {
    "all": "all",
    "internal": "internal",
    "internal-and-cloud-load-balancing": "internal-and-cloud-load-balancing",
}
_WITHOUT = {
    "roles/cloudquotas.viewer": "Without it, set every max_instances: the default cannot be fitted.",
    "roles/logging.privateLogViewer": "Without it, audit_logs writes what you cannot read.",
    "roles/pubsub.viewer": "Only a destroy needs it, to see that nothing is left.",
}
_EGRESS = {"PRIVATE_RANGES_ONLY": "private-ranges-only", "ALL_TRAFFIC": "all-traffic"}


def identity(world: World) -> Iterator[Finding]:
    """Whose credentials these are."""
    yield ok("credentials", f"You are {world.cloud.projects.identity()}.")


def project(world: World) -> Iterator[Finding]:
    """Whether the project is there."""
    name = world.spec.names.project
    if world.cloud.projects.active(name):
        yield ok("project", f"The project {name} is active.")
    else:
        yield blocker(
            "project",
            f"The project {name} is being deleted.",
            fix=f"Restore it (gcloud projects undelete {name}), or use another --project.",
        )


def billing(world: World) -> Iterator[Finding]:
    """Whether somebody pays."""
    name = world.spec.names.project
    account = world.cloud.billing.account(name)
    if account:
        yield ok("billing", f"{account} pays for the project.")
    else:
        yield blocker(
            "billing",
            f"Billing is disabled for the project {name}.",
            "Cloud Run, Cloud Build and Artifact Registry need it.",
            f"Link a billing account: {_BILLING.format(project=name)}",
        )


def apis(world: World) -> Iterator[Finding]:
    """Which APIs a deploy would enable."""
    name = world.spec.names.project
    missing = sorted(world.spec.apis - world.cloud.service_usage.enabled(name))
    if not missing:
        yield ok("apis", f"All {len(world.spec.apis)} APIs are enabled.")
        return
    yield ok("apis", f"A deploy enables {len(missing)} APIs: {', '.join(missing)}.")


def permissions(world: World) -> Iterator[Finding]:
    """What the caller may not do, with the role that allows it.

    What can be granted on a single resource too is no blocker: the project cannot tell.
    """
    name, options = world.spec.names.project, world.spec.config.options
    needed = NEEDED + (FOR_LOG_SINK if options.log_sink else ())
    needed += FOR_AUDIT_LOGS if options.audit_logs else ()
    held = world.cloud.projects.held(name, needed)
    missing = [one for one in needed if one not in held]
    if not missing:
        yield ok("permissions", f"All {len(needed)} permissions are there.")
    by_role: dict[str, list[str]] = {}
    for permission in missing:
        by_role.setdefault(role_for(permission), []).append(permission)
    for role, lacking in by_role.items():
        yield _lacking(world, role, lacking)


def _lacking(world: World, role: str, lacking: list[str]) -> Finding:
    who, project_id = world.cloud.projects.identity(), world.spec.names.project
    member = f"serviceAccount:{who}" if who.endswith(".gserviceaccount.com") else f"user:{who}"
    what = (
        f"{who} lacks {', '.join(lacking)}; {role} holds {'it' if len(lacking) == 1 else 'them'}."
    )
    fix = (
        f"Ask for it: gcloud projects add-iam-policy-binding {project_id} "
        f"--member '{member}' --role {role}"
    )
    if any(one in ONLY_ON_PROJECT for one in lacking) or _for_new_accounts(world, lacking):
        return blocker(
            "permissions", what, "A deploy needs it on the project.", fix, Exit.CREDENTIALS
        )
    why = _WITHOUT.get(
        role, "It may be granted on the pipeline's own resources; the project cannot tell."
    )
    return warning("permissions", what, why, fix)


def _for_new_accounts(world: World, lacking: list[str]) -> bool:
    """Whether accounts must be handed out on which nobody can have granted anything yet."""
    if "iam.serviceAccounts.actAs" not in lacking:
        return False
    names = world.spec.names
    return world.cloud.iam.get(names.project, names.account("workflow")) is None


def policies(world: World) -> Iterator[Finding]:
    """Organization policies that are known to stop deploys."""
    read, name, found = world.cloud.org_policies.effective, world.spec.names.project, False
    for constraint, values, what in _listed(world):
        policy = read(name, constraint)
        refused = values if policy.deny_all else values & policy.denied
        if policy.allowed:
            refused |= values - policy.allowed
        if refused:
            found = True
            yield blocker(
                "organization policy",
                f"The constraint {constraint} does not allow {', '.join(sorted(refused))}.",
                what,
                "Ask whoever administers the organization for an exception for this project.",
            )
    places = read(name, "gcp.resourceLocations")
    if places.deny_all or places.allowed or places.denied:
        found = True
        yield _locations(world.spec.names.region, places.allowed, places.denied)
    if not found:
        yield ok("organization policy", "No constraint that is known to stop a deploy is set.")


def _listed(world: World) -> Iterator[tuple[str, frozenset[str], str]]:
    options = world.spec.config.options
    yield (
        "run.allowedIngress",
        frozenset({_INGRESS[options.ingress]}),
        "The services could not be deployed with this ingress.",
    )
    if options.vpc.used:
        yield (
            "run.allowedVPCEgress",
            frozenset({_EGRESS[options.vpc.egress]}),
            "The services could not be deployed with this vpc.egress.",
        )
    yield "gcp.restrictServiceUsage", world.spec.apis, "These APIs could not be used."


def _locations(region: str, allowed: frozenset[str], denied: frozenset[str]) -> Finding:
    """Values may be groups ("in:eu-locations"), which only Google can resolve."""
    own = {region, f"in:{region}-locations"}
    if own & denied:
        return blocker(
            "organization policy",
            f"The constraint gcp.resourceLocations does not allow {region}.",
            fix="Use another --region, or ask for an exception.",
        )
    if own & allowed:
        return ok("organization policy", f"gcp.resourceLocations allows {region}.")
    values = ", ".join(sorted(allowed | denied)) or "nothing"
    return warning(
        "organization policy",
        f"The constraint gcp.resourceLocations is set, and does not name {region}.",
        f"It says: {values}. What a group of locations holds is not known here.",
        "If a deploy is refused for its location, use a --region that the policy allows.",
    )
