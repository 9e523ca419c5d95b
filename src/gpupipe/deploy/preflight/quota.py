"""Checks of what the region can give: quotas against maximum times size, GPUs at all, what runs there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gpupipe.cloud.quotas import CPU, MEMORY, Quota
from gpupipe.cloud.run import Maximum
from gpupipe.core.gpus import Gpu, table
from gpupipe.core.names import SERVICES
from gpupipe.core.options import key_of
from gpupipe.core.quantities import memory_bytes, milli_cpu
from gpupipe.deploy.capacity import DEFAULT_MAX, Limit, needs_of
from gpupipe.deploy.preflight.finding import Finding, blocker, ok, unknown, warning
from gpupipe.deploy.step import World

Quotas = Mapping[str, Quota | None]
_MOST_REGIONS = 8
_ELIGIBLE = {
    "NO_VALID_BILLING_ACCOUNT": "Google raises no quota of a project without a billing account.",
    "NOT_ENOUGH_USAGE_HISTORY": "Google raises this quota only after some use of the project.",
    "NOT_SUPPORTED": "Google does not raise this quota on request.",
}


@dataclass(frozen=True, slots=True)
class Shortage:
    """A quota that allows fewer instances than are wanted. wanted: in the quota's own unit."""

    service: str
    limit: Limit
    wanted: int
    instances: int
    is_set: bool
    quota: Quota


def shortages(world: World) -> Iterator[Shortage]:
    """Each quota that a service's maximum does not fit."""
    quotas = _quotas(world)
    for service in SERVICES:
        size = world.spec.service_config(service)
        instances = size.max_instances or DEFAULT_MAX
        is_set = world.spec.config.is_set(f"{key_of(service)}.max_instances")
        for quota_id, each in needs_of(world, service).items():
            quota = quotas[quota_id]
            allowed = quota.limit(world.spec.names.region) if quota else None
            if quota is None or allowed is None or allowed >= each * instances:
                continue
            limit = Limit(quota_id, allowed, allowed // each)
            yield Shortage(service, limit, each * instances, instances, is_set, quota)


def quota(world: World) -> Iterator[Finding]:
    """Whether the maxima fit; the largest that does, and where more would."""
    short, quotas = list(shortages(world)), _quotas(world)
    for one in short:
        yield _finding(world, one, quotas)
    region = world.spec.names.region
    not_known = [
        quota_id
        for quota_id, found in quotas.items()
        if found is None or found.limit(region) is None
    ]
    if not_known:
        yield unknown("quota", f"Not known, or without a limit: {', '.join(not_known)}.")
    elif not short:
        yield ok("quota", "Maximum times size of each service fits the region's quotas.")
    yield from _together(world, quotas)


def gpu(world: World) -> Iterator[Finding]:
    """Whether the region has the GPU, as documented."""
    options = world.spec.gpu("gpu-inference")
    if options is None:
        yield ok("gpu", 'No GPU is asked for (gpu = "none").')
        return
    kind, region = table()[options.gpu], world.spec.names.region
    if region in kind.invitation or region in kind.unsure:
        how = "by invitation" if region in kind.invitation else "perhaps by invitation"
        yield warning(
            "gpu",
            f"Google gives {kind.name} in {region} {how} (as of {kind.as_of}).",
            "Cloud Run refuses the service where the project was not invited.",
            f"If so, use another --region: {_others(kind)}; or --preset cpu-only.",
        )
    elif region in kind.regions:
        yield ok("gpu", f"{kind.name} is documented for {region} (as of {kind.as_of}).")
    else:
        yield warning(
            "gpu",
            f"{region} is not among the regions documented for {kind.name} on {kind.as_of}.",
            "The list ages, so a deploy tries it all the same.",
            f"Use another --region if it is refused: {', '.join(kind.regions)}.",
        )


def first_gpu(world: World) -> Iterator[Finding]:
    """Old revisions count when a service gets its first GPU, however small its own maximum is."""
    options, name = world.spec.gpu("gpu-inference"), world.spec.service_name("gpu-inference")
    found = world.cloud.run.get(name) if options else None
    if options is None or found is None or found.service.accelerator:
        return
    quota_id = table()[options.gpu].quota_id(zonal=options.zonal_redundancy)
    known = world.cloud.quotas.get(world.spec.names.project, quota_id)
    allowed = known.limit(world.spec.names.region) if known else None
    for revision in world.cloud.run.revision_maxima(name):
        if allowed is not None and revision.instances > allowed:
            yield blocker(
                "quota",
                f"The revision {revision.name} may grow to {revision.instances} instances, and "
                f"{quota_id} allows {allowed}.",
                "When a service gets its first GPU, its old revisions count too.",
                f"Delete it: gcloud run revisions delete {revision.name} --project "
                f"{world.spec.names.project} --region {world.spec.names.region}",
            )


def _quotas(world: World) -> Quotas:
    ids = dict.fromkeys(key for service in SERVICES for key in needs_of(world, service))
    return {one: world.cloud.quotas.get(world.spec.names.project, one) for one in ids}


def _finding(world: World, short: Shortage, quotas: Quotas) -> Finding:
    limit, project = short.limit, world.spec.names.project
    what = (
        f"{short.service}: max_instances = {short.instances} does not fit {limit.quota}, which "
        f"allows {limit.amount} in {world.spec.names.region}; "
        + (f"the largest that fits is {limit.fits}." if limit.fits else "not one instance fits.")
    )
    why = _ELIGIBLE.get(short.quota.ineligible, "")
    fitting = ", ".join(_regions_that_fit(world, short, quotas))
    ways = [
        f"Set {key_of(short.service)}.max_instances to {limit.fits} or less" if limit.fits else "",
        f"use a region that would fit: {fitting}" if fitting else "",
        f"ask for more: gpupipe doctor --request-quota, or {limit.link(project)}",
        "use --preset cpu-only" if limit.quota not in {CPU, MEMORY} else "",
    ]
    fix = "; ".join(way for way in ways if way) + "."
    if short.is_set or not limit.fits:
        return blocker("quota", what, why, fix[0].upper() + fix[1:])
    return warning("quota", f"{what} A deploy lowers the default to it.", why, fix)


def _regions_that_fit(world: World, short: Shortage, quotas: Quotas) -> list[str]:
    """Other regions whose quotas are all known to allow what the service wants."""
    gpu = world.spec.gpu(short.service)
    needs = {one: each * short.instances for one, each in needs_of(world, short.service).items()}
    found = [(quotas[one], wanted) for one, wanted in needs.items()]
    # Where a GPU is wanted, the table tells where one is to be had; CPU and memory are everywhere.
    named = sorted({region for quota, _ in found if quota for region in quota.regions})
    regions = table()[gpu.gpu].regions if gpu else named
    return [
        region
        for region in regions
        if region != world.spec.names.region
        and all(quota is not None and quota.allows(region, wanted) for quota, wanted in found)
    ][:_MOST_REGIONS]


def _together(world: World, quotas: Quotas) -> Iterator[Finding]:
    """What all services of the region may grow to together, since the quotas count what runs."""
    names = world.spec.names
    ours = {names.service(service) for service in SERVICES}
    others = [one for one in world.cloud.run.maxima(names.location) if one.name not in ours]
    for quota_id, found in quotas.items():
        allowed = found.limit(names.region) if found else None
        taken = {one.name: _takes(one, quota_id) for one in others}
        wanted = sum(
            needs_of(world, service).get(quota_id, 0)
            * (world.spec.service_config(service).max_instances or DEFAULT_MAX)
            for service in SERVICES
        )
        if allowed is None or not any(taken.values()) or wanted + sum(taken.values()) <= allowed:
            continue
        who = ", ".join(sorted(name for name, amount in taken.items() if amount))
        yield warning(
            "quota",
            f"Other services of {names.region} share {quota_id}: {who}.",
            "All at their maximum, they and this pipeline would not fit; whoever comes late waits.",
            "Lower a max_instances, or ask for more: gpupipe doctor --request-quota.",
        )


def _takes(one: Maximum, quota_id: str) -> int:
    gpus: Mapping[str, str] = {kind.name: kind.quota for kind in table().values()}
    if quota_id == CPU:
        return one.instances * milli_cpu(one.cpu)
    if quota_id == MEMORY:
        return one.instances * memory_bytes(one.memory)
    return one.instances if gpus.get(one.accelerator) == quota_id else 0


def _others(kind: Gpu) -> str:
    """The regions that need no invitation."""
    asked = kind.invitation | kind.unsure
    return ", ".join(one for one in kind.regions if one not in asked)
