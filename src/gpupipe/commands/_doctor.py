"""What `gpupipe doctor` does: every check side by side, and requests for quota where they are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

from gpupipe.context import open_context
from gpupipe.core.errors import Exit, UsageError
from gpupipe.core.flags import Flags
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.preflight.checks import preflight
from gpupipe.deploy.preflight.finding import Finding, Level
from gpupipe.deploy.preflight.quota import shortages
from gpupipe.deploy.step import World
from gpupipe.render.console import answer, say, talk
from gpupipe.render.findings import findings_json, print_findings
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output
from gpupipe.render.progress import busy


@dataclass(frozen=True, slots=True)
class DoctorRequest:
    """The command line, parsed."""

    flags: Flags
    request_quota: bool
    contact_email: str | None
    output: Output


def run(request: DoctorRequest) -> int:
    """Carry out the request; the exit code."""
    context = open_context(request.flags)
    world = World(context.cloud, context.spec, Facts())
    asked = _ask(world, request.contact_email) if request.request_quota else []
    with busy(talk(), "Checking"):
        findings = preflight(world)
    if request.output is Output.JSON:
        print_json(findings_json(findings, asked))
        return _exit(findings)
    print_findings(answer(), findings)
    for line in asked:
        say(answer(), line)
    counts = {level: sum(one.level is level for one in findings) for level in Level}
    say(answer(), "")
    say(answer(), ", ".join(f"{count} {level}" for level, count in counts.items() if count) + ".")
    return _exit(findings)


def _ask(world: World, email: str | None) -> list[str]:
    """Ask for what is missing, the most that any service wants of each quota."""
    who = email or world.cloud.projects.identity()
    names, wanted = world.spec.names, dict[str, int]()
    for short in shortages(world):
        quota = short.limit.quota
        wanted[quota] = max(short.wanted, wanted.get(quota, 0))
    if wanted and "@" not in who:
        raise UsageError(
            "Google wants an address to answer a request for quota.",
            resource="--request-quota",
            resolution="Give --contact-email.",
            doc="reference/errors.md#quota",
        )
    return [
        f"{quota} in {names.region}: "
        + world.cloud.quotas.request(names.project, names.region, quota, value, who)
        for quota, value in wanted.items()
    ] or ["No quota is missing, so none was asked for."]


def _exit(findings: Sequence[Finding]) -> Exit:
    blockers = [one.exit for one in findings if one.level is Level.BLOCKER]
    if not blockers:
        return Exit.DONE
    return Exit.CREDENTIALS if Exit.CREDENTIALS in blockers else Exit.DIFFERENCES
