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


def _ours(world: World, names: Iterable[str]) -> Iterator[str]:
    """The short names of those (full names) that carry our trigger's events."""
    _, _, _, location, _, trigger = world.spec.trigger.name.split("/")
    form = re.compile(rf"eventarc-{re.escape(f'{location}-{trigger}')}-(sub-)?\d+")
    for name in names:
        short = name.rpartition("/")[2]
        if name in world.facts.carriers or form.fullmatch(short):
            yield short
