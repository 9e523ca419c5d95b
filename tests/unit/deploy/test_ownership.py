"""What has our name is ours, another pipeline's, or of another region."""

from pathlib import Path

import pytest

from gpupipe.core.config import load
from gpupipe.core.errors import GpupipeError
from gpupipe.core.flags import Flags
from gpupipe.core.names import Names
from gpupipe.deploy.ownership import NotOursError, check_labels, check_mark, is_ours
from gpupipe.deploy.spec import PipelineSpec


@pytest.fixture
def spec(tmp_path: Path) -> PipelineSpec:
    names = Names("demo-project", "us-central1", "ml-pipeline")
    return PipelineSpec(names, load(Flags(), {}, tmp_path))


def check(spec: PipelineSpec, labels: dict[str, str]) -> None:
    check_labels("bucket", "b", labels, spec)


def test_what_carries_our_labels_is_ours_whatever_else_it_carries(spec: PipelineSpec) -> None:
    check(spec, {**spec.labels, "gpupipe-version": "0-0-1", "team": "blue"})


@pytest.mark.parametrize("missing", ["managed-by", "gpupipe-pipeline"])
def test_what_lacks_a_label_is_not_ours(spec: PipelineSpec, missing: str) -> None:
    labels = {key: value for key, value in spec.labels.items() if key != missing}
    with pytest.raises(GpupipeError, match="this pipeline did not make it") as caught:
        check(spec, labels)
    assert caught.value.resource == "b"
    assert "--prefix" in caught.value.resolution


def test_what_belongs_to_another_pipeline_is_not_ours(spec: PipelineSpec) -> None:
    with pytest.raises(GpupipeError, match="this pipeline did not make it"):
        check(spec, {**spec.labels, "gpupipe-pipeline": "other"})
    with pytest.raises(GpupipeError, match="this pipeline did not make it"):
        check(spec, {})


def test_a_pipeline_of_another_region_is_named(spec: PipelineSpec) -> None:
    with pytest.raises(GpupipeError, match="another region: europe-west4") as caught:
        check(spec, {**spec.labels, "gpupipe-region": "europe-west4"})
    assert "--region europe-west4" in caught.value.resolution
    assert "us-central1" in (caught.value.details or "")


def test_a_lost_region_label_is_named_and_no_region_is_made_up(spec: PipelineSpec) -> None:
    labels = {key: value for key, value in spec.labels.items() if key != "gpupipe-region"}
    with pytest.raises(GpupipeError, match="lost its label gpupipe-region") as caught:
        check(spec, labels)
    text = f"{caught.value.brief} {caught.value.details} {caught.value.resolution}"
    assert "None" not in text
    assert "gpupipe-region=us-central1" in caught.value.resolution


def test_a_mark_tells_the_same_as_labels(spec: PipelineSpec) -> None:
    check_mark("service account", "a", "gpupipe:ml-pipeline:us-central1 reads the input", spec)
    for other in ("", "somebody's", "gpupipe:ml-pipeline-2:us-central1", "gpupipe"):
        with pytest.raises(NotOursError, match="this pipeline did not make it"):
            check_mark("service account", "a", other, spec)
    with pytest.raises(NotOursError, match="another region: europe-west4") as caught:
        check_mark("service account", "a", "gpupipe:ml-pipeline:europe-west4", spec)
    assert "--region europe-west4" in caught.value.resolution


def test_grants_of_googles_agents_alone_are_nobodys(spec: PipelineSpec) -> None:
    agent = ("roles/pubsub.publisher", "serviceAccount:service-1@gs-project-accounts")
    ours = ("roles/logging.logWriter", min(spec.members))
    assert not is_ours(frozenset({agent}), spec)
    assert is_ours(frozenset({agent, ours}), spec)
    assert not is_ours(None, spec)
    assert is_ours(("anything",), spec)
