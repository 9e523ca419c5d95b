"""The names of a pipeline: every limit, and every refusal in words."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpupipe.core.errors import Exit, UsageError
from gpupipe.core.names import (
    ACCOUNTS,
    BUCKETS,
    SERVICES,
    Names,
    check_prefix,
    check_project,
    check_region,
)

NAMES = Names("demo-project", "us-central1", "ml-pipeline")


@pytest.mark.parametrize("project", ["abcdef", "a" * 30, "a1-b2-c3", "demo-project-123"])
def test_a_project_id_is_accepted(project: str) -> None:
    assert check_project(project) == project


@pytest.mark.parametrize(
    "project",
    ["", "abcde", "a" * 31, "Abcdef", "1abcdef", "-abcdef", "abcdef-", "abc_def", "abc def",
     "123456789012", "abcdef\n", "äbcdef"],
)  # fmt: skip
@pytest.mark.promise("S47")
def test_what_is_no_project_id_is_refused(project: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"{project!r} is not a project id.")) as caught:
        check_project(project)
    assert "6 to 30 characters" in (caught.value.details or "")
    assert caught.value.exit is Exit.USAGE


def test_a_domain_scoped_project_is_refused_with_the_reason() -> None:
    with pytest.raises(UsageError, match="domain-scoped") as caught:
        check_project("example.com:demo-project")
    assert "bucket names" in caught.value.resolution


@pytest.mark.parametrize("region", ["us-central1", "europe-west12", "northamerica-northeast2"])
def test_a_region_is_accepted(region: str) -> None:
    assert check_region(region) == region


@pytest.mark.parametrize(
    "region", ["", "us", "us-central", "us-central1-a", "US-central1", "us-central123", "global"]
)
@pytest.mark.promise("S9")
@pytest.mark.promise("S48")
def test_what_is_no_region_is_refused(region: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"{region!r} is not a region.")) as caught:
        check_region(region)
    assert "--region" in caught.value.resolution


@pytest.mark.parametrize("prefix", ["abc", "a" * 21, "a-1", "ml-pipeline"])
def test_a_prefix_is_accepted(prefix: str) -> None:
    assert check_prefix(prefix) == prefix


@pytest.mark.parametrize(
    "prefix", ["", "ab", "a" * 22, "1abc", "-abc", "abc-", "Abc", "a_bc", "a.bc", "abc\n"]
)
@pytest.mark.promise(47)
@pytest.mark.promise("S49")
def test_what_is_no_prefix_is_refused(prefix: str) -> None:
    expected = re.escape(f"{prefix!r} is not a usable prefix.")
    with pytest.raises(UsageError, match=expected) as caught:
        check_prefix(prefix)
    assert "3 to 21 characters" in (caught.value.details or "")
    assert "--prefix" in caught.value.resolution


@pytest.mark.parametrize("prefix", ["goog", "google", "goog-demo"])
def test_a_prefix_that_google_keeps_for_itself_is_refused(prefix: str) -> None:
    with pytest.raises(UsageError, match="begins with goog"):
        check_prefix(prefix)


def test_a_prefix_that_makes_a_bucket_name_too_long_is_refused() -> None:
    longest = 63 - len("-staging-") - len("p" * 30)
    assert Names("p" * 30, "us-central1", "x" * min(longest, 21)).bucket("staging")
    if longest < 21:
        with pytest.raises(UsageError, match="longer than 63 characters") as caught:
            Names("p" * 30, "us-central1", "x" * (longest + 1))
        assert "shorter prefix" in caught.value.resolution


@pytest.mark.parametrize(
    ("project", "region", "prefix"),
    [("X", "us-central1", "abc"), ("demo-project", "x", "abc"), ("demo-project", "us-central1", "X")],
)  # fmt: skip
def test_each_part_is_checked(project: str, region: str, prefix: str) -> None:
    with pytest.raises(UsageError):
        Names(project, region, prefix)


@pytest.mark.promise("S20")
@pytest.mark.promise("S22")
@pytest.mark.promise("S57")
@pytest.mark.promise("S71")
@pytest.mark.promise("D12")
def test_the_names() -> None:
    assert NAMES.service("gpu-inference") == "ml-pipeline-gpu-inference"
    assert NAMES.bucket("input") == "ml-pipeline-input-demo-project"
    assert NAMES.account_id("pre") == "ml-pipeline-pre"
    assert NAMES.account("pre") == "ml-pipeline-pre@demo-project.iam.gserviceaccount.com"
    assert NAMES.member("pre") == f"serviceAccount:{NAMES.account('pre')}"
    assert NAMES.workflow == "ml-pipeline-ml-pipeline"
    assert NAMES.trigger == "ml-pipeline-storage-trigger"
    assert NAMES.repository == "ml-pipeline-containers"
    assert NAMES.location == "projects/demo-project/locations/us-central1"
    assert (
        NAMES.image("preprocess")
        == "us-central1-docker.pkg.dev/demo-project/ml-pipeline-containers/preprocess"
    )


@given(
    project=st.from_regex(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", fullmatch=True),
    prefix=st.from_regex(r"[a-z][a-z0-9-]{1,19}[a-z0-9]", fullmatch=True),
)
@pytest.mark.promise("S49")
def test_whatever_is_accepted_stays_within_googles_limits(project: str, prefix: str) -> None:
    try:
        names = Names(project, "us-central1", prefix)
    except UsageError:
        return
    for service in SERVICES:
        assert len(names.service(service)) < 50
    for role in ACCOUNTS:
        assert re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", names.account_id(role))
    for role in BUCKETS:
        assert 3 <= len(names.bucket(role)) <= 63
        assert not names.bucket(role).startswith("goog")
    assert len(names.workflow) <= 64
    assert len(names.trigger) <= 63
    assert len(names.repository) <= 63
