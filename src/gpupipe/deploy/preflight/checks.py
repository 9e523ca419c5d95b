"""The table of checks, and running them side by side. A check that cannot be made stops nothing."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from gpupipe.cloud.errors import ApiError
from gpupipe.core.errors import Exit, GpupipeError, UsageError
from gpupipe.deploy.preflight import pipeline, project, quota
from gpupipe.deploy.preflight.finding import Finding, Level, blocker, unknown
from gpupipe.deploy.preflight.key import key
from gpupipe.deploy.step import World


@dataclass(frozen=True, slots=True)
class Check:
    """A check, and whether a deploy makes it too: what its plan finds out anyway is left out there."""

    name: str
    run: Callable[[World], Iterator[Finding]]
    in_deploy: bool = True


CHECKS: tuple[Check, ...] = (
    Check("credentials", project.identity),
    Check("project", project.project),
    Check("billing", project.billing),
    Check("apis", project.apis, in_deploy=False),
    Check("permissions", project.permissions),
    Check("organization policy", project.policies),
    Check("quota", quota.quota, in_deploy=False),
    Check("quota", quota.first_gpu),
    Check("gpu", quota.gpu, in_deploy=False),
    Check("names", pipeline.names, in_deploy=False),
    Check("places", pipeline.places),
    Check("key", key),
    Check("sources", pipeline.sources, in_deploy=False),
    Check("identity tokens", pipeline.tokens, in_deploy=False),
    Check("this machine", pipeline.machine, in_deploy=False),
)


def preflight(world: World, checks: Sequence[Check] = CHECKS) -> tuple[Finding, ...]:
    """What every check found, in the order of the table."""
    with ThreadPoolExecutor(len(checks), thread_name_prefix="check") as pool:
        found = pool.map(lambda check: _findings(check, world), checks)
        return tuple(finding for one in found for finding in one)


def deploys() -> tuple[Check, ...]:
    """The checks that a deploy begins with."""
    return tuple(check for check in CHECKS if check.in_deploy)


def stopping_error(findings: Sequence[Finding]) -> GpupipeError | None:
    """The error that stops a deploy, with every blocker; None where there is none."""
    blockers = [one for one in findings if one.level is Level.BLOCKER]
    if not blockers:
        return None
    details = [line for one in blockers for line in (one.what, one.why, f"Next: {one.fix}") if line]
    return GpupipeError(
        f"{len(blockers)} finding{'s' * (len(blockers) > 1)} would make this deploy fail.",
        details="\n".join(details),
        resolution="Mend what is named above; --skip-preflight tries it all the same.",
        doc="reference/errors.md#preflight",
        exit=max((one.exit for one in blockers), default=Exit.FAILED),
    )


def _findings(check: Check, world: World) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(check.run(world))
    except UsageError as error:
        why = " ".join(part for part in (error.resource, error.details) if part)
        found.append(blocker(check.name, error.brief, why, error.resolution, error.exit))
    except ApiError as error:
        found.append(_not_told(check.name, error))
    except GpupipeError as error:
        found.append(
            unknown(check.name, "This could not be checked.", error.brief, error.resolution)
        )
    return found


def _not_told(name: str, error: ApiError) -> Finding:
    """No conclusive answer is no blocker: the deploy itself will tell."""
    if error.refusal.reason == "SERVICE_DISABLED":
        return unknown(
            name,
            "This could not be checked: an API that tells it is not enabled.",
            error.refusal.message.partition(" Enable it")[0],
            f"To have it checked: gcloud services enable {error.refusal.message.partition(' ')[0]}",
        )
    return unknown(name, "This could not be checked.", error.brief, error.resolution)
