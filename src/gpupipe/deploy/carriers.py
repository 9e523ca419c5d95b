"""What Eventarc made to carry a trigger's events, found again once the trigger is gone.

A topic, a subscription and a notification of the input bucket. They carry no labels: what was read
off the trigger in this run is looked for, and names of the form that Eventarc gives to its own.
"""

import re
from collections.abc import Iterable, Iterator

from gpupipe.deploy.step import World


def carriers(world: World) -> Iterator[tuple[str, str]]:
    """(kind, name) of each that is still there."""
    names, pubsub = world.spec.names, world.cloud.pubsub
    for topic in _ours(world, pubsub.topics(names.project)):
        yield "topic", topic
    for subscription in _ours(world, pubsub.subscriptions(names.project)):
        yield "subscription", subscription
    bucket = names.bucket("input")
    for topic in _ours(world, world.cloud.storage.notified(bucket)):
        yield "bucket notification", f"{bucket} to {topic}"


def trigger_location(world: World) -> str:
    """The input bucket's, where Eventarc wants the trigger; only a bucket of the user's is asked."""
    names = world.spec.names
    found = world.cloud.storage.get(names.bucket("input")) if "input" in names.given else None
    return found.location if found else world.spec.bucket("input").location


def _ours(world: World, names: Iterable[str]) -> Iterator[str]:
    """The short names of those (full names) that carry our trigger's events."""
    stem = re.escape(f"{trigger_location(world)}-{world.spec.names.trigger}")
    form = re.compile(rf"eventarc-{stem}-(sub-)?\d+")
    for name in names:
        short = name.rpartition("/")[2]
        if name in world.facts.carriers or form.fullmatch(short):
            yield short
