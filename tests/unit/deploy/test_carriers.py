"""What Eventarc leaves behind is found by what the trigger said, and by Eventarc's own names."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gpupipe.core.config import load
from gpupipe.core.flags import Flags
from gpupipe.core.names import Names
from gpupipe.deploy.carriers import carriers
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.step import World

PROJECT = "projects/demo-project"
STEM = "eventarc-us-central1-ml-pipeline-storage-trigger"


@dataclass
class Left:
    """A project's topics, subscriptions and notifications, as the facades answer."""

    topic_names: tuple[str, ...] = ()
    subscription_names: tuple[str, ...] = ()
    notified_topics: tuple[str, ...] = ()

    @property
    def pubsub(self) -> "Left":
        return self

    @property
    def storage(self) -> "Left":
        return self

    def topics(self, project: str) -> tuple[str, ...]:
        return tuple(f"projects/{project}/topics/{name}" for name in self.topic_names)

    def subscriptions(self, project: str) -> tuple[str, ...]:
        return tuple(f"projects/{project}/subscriptions/{name}" for name in self.subscription_names)

    def notified(self, bucket: str) -> tuple[str, ...]:
        assert bucket == "ml-pipeline-input-demo-project"
        return tuple(f"{PROJECT}/topics/{name}" for name in self.notified_topics)


def found(tmp_path: Path, left: Any, facts: Facts | None = None) -> list[tuple[str, str]]:
    names = Names("demo-project", "us-central1", "ml-pipeline")
    spec = PipelineSpec(names, load(Flags(), {}, tmp_path))
    return list(carriers(World(left, spec, facts or Facts())))


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    assert found(tmp_path, Left()) == []


def test_each_kind_is_found_by_the_form_of_its_name(tmp_path: Path) -> None:
    left = Left((f"{STEM}-931",), (f"{STEM}-sub-034",), (f"{STEM}-931",))
    assert found(tmp_path, left) == [
        ("topic", f"{STEM}-931"),
        ("subscription", f"{STEM}-sub-034"),
        ("bucket notification", f"ml-pipeline-input-demo-project to {STEM}-931"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "eventarc-us-central1-other-storage-trigger-931",
        "eventarc-europe-west4-ml-pipeline-storage-trigger-931",
        f"{STEM}-2-931",
        f"my-{STEM}-931",
        "mine",
    ],
)
def test_what_others_made_is_left_alone(tmp_path: Path, name: str) -> None:
    assert found(tmp_path, Left((name,), (name,), (name,))) == []


def test_what_the_trigger_named_is_found_whatever_its_name(tmp_path: Path) -> None:
    facts = Facts(carriers={f"{PROJECT}/topics/odd", f"{PROJECT}/subscriptions/even"})
    assert found(tmp_path, Left(("odd", "even"), ("even",)), facts) == [
        ("topic", "odd"),
        ("subscription", "even"),
    ]
