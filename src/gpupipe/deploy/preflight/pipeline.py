"""Checks of the pipeline itself: names that are taken, places, own sources, tokens, this machine."""

import shutil
import sys
from collections.abc import Iterator

from gpupipe.core.bucket_options import GIVEN_BUCKETS
from gpupipe.core.errors import GpupipeError
from gpupipe.core.names import SERVICES
from gpupipe.deploy.own_sources import check
from gpupipe.deploy.ownership import NotOursError
from gpupipe.deploy.preflight.finding import Finding, blocker, ok, unknown, warning
from gpupipe.deploy.step import Step, World, is_wanted
from gpupipe.deploy.steps import STEPS
from gpupipe.deploy.steps.buckets import DataBucket

_PLACES = ("us", "eu")


def names(world: World) -> Iterator[Finding]:
    """Resources that have one of our names and are not ours, or that a deploy could not go on with."""
    clean = True
    for step in (one for one in STEPS if is_wanted(one, world.spec)):
        try:
            observed = step.observe(world)
            if isinstance(step, DataBucket):
                step.diff(world, observed)
        except NotOursError as error:
            clean = False
            yield _clash(step, error)
        except GpupipeError as error:
            if isinstance(step, DataBucket) and error.doc.startswith("reference/"):
                clean = False
                yield blocker(
                    "names", error.brief, error.details or "", error.resolution, error.exit
                )
    yield from _squatted(world)
    if clean:
        yield ok("names", "No name that the pipeline needs is taken by somebody else.")


def _clash(step: Step, error: NotOursError) -> Finding:
    fix = error.resolution
    if isinstance(step, DataBucket) and step.role in GIVEN_BUCKETS:
        fix += f" Or name a bucket of yours: buckets.{step.role}.name."
    return blocker("names", f"{error.brief} ({error.resource})", error.details or "", fix)


def _squatted(world: World) -> Iterator[Finding]:
    """A bucket with our labels may still be in somebody else's project: labels are no proof."""
    number = world.cloud.projects.number(world.spec.names.project)
    for step in (one for one in STEPS if is_wanted(one, world.spec)):
        if not isinstance(step, DataBucket) or step.role in world.spec.names.given:
            continue
        try:
            found = world.cloud.storage.get(step.name(world))
        except GpupipeError:
            continue  # one that may not be read is told as a clash
        if found and found.project_number is not None and found.project_number != number:
            yield blocker(
                "names",
                f"The bucket {found.name} is in another project (number {found.project_number}).",
                "Whoever owns it could read every file and result.",
                "Use another --prefix.",
            )


def places(world: World) -> Iterator[Finding]:
    """Whether the trigger can be where the input bucket is."""
    given = world.spec.names.given.get("input")
    found = world.cloud.storage.get(given) if given else None
    location = found.location if found else world.spec.bucket("input").location
    if location in _PLACES or (location[-1:].isdigit() and "-" in location):
        yield ok("places", f"The trigger goes where the input bucket is: {location}.")
    else:
        yield blocker(
            "places",
            f"The input bucket is in {location}.",
            "A trigger must be in the bucket's location, a region or us or eu.",
            "Name another bucket, or let gpupipe make one.",
        )
    for role, name in world.spec.names.given.items():
        bucket = world.cloud.storage.get(name)
        if bucket and role != "input" and bucket.location != world.spec.names.region:
            yield warning(
                "places",
                f"The bucket {name} is in {bucket.location}, the services in "
                f"{world.spec.names.region}.",
                "Reading and writing across locations is slower and may cost.",
            )


def sources(world: World) -> Iterator[Finding]:
    """Whether what is to be built can be read."""
    config = world.spec.config
    check(config)
    own = [one for one in SERVICES if world.spec.service_config(one).source]
    images = [one for one in SERVICES if world.spec.service_config(one).image]
    words = [f"{', '.join(own)} from your own source"] if own else []
    words += [f"{', '.join(images)} from your own image"] if images else []
    yield ok("sources", "; ".join(words) or "The packaged services are built.")


def tokens(world: World) -> Iterator[Finding]:
    """An identity token of the workflow's account for each service, as its calls need one."""
    account, found = world.spec.names.account("workflow"), False
    for service in SERVICES:
        seen = world.cloud.run.get(world.spec.service_name(service))
        if seen is None or not seen.uri:
            continue
        found = True
        try:
            world.cloud.iam.id_token(account, seen.uri)
        except GpupipeError as error:
            yield unknown(
                "identity tokens",
                f"No token for {service} could be had as {account}.",
                error.brief,
                f"To try it, you need roles/iam.serviceAccountTokenCreator on {account}.",
            )
        else:
            yield ok("identity tokens", f"{account} gets a token for {service}.")
    if not found:
        yield ok("identity tokens", "There is no service yet.")


def machine(world: World) -> Iterator[Finding]:
    """What this machine needs: Python, and nothing else; uv, which comes along, builds locally."""
    del world
    version = ".".join(str(part) for part in sys.version_info[:3])
    uv = shutil.which("uv", path=sys.prefix + "/bin") or shutil.which("uv")
    yield ok("this machine", f"Python {version}; neither gcloud nor Docker is needed.")
    if uv is None:
        yield warning(
            "this machine",
            "The program uv was not found.",
            "The local cloud builds images with it; Google Cloud does not need it.",
            "Install gpupipe again: uv comes with it.",
        )
