"""The wiring's own rules."""

import pytest

from gpupipe.cloud.target import Kind, Target
from gpupipe.context import require_named_project
from gpupipe.core.errors import Exit, UsageError


def target(kind: Kind, source: str) -> Target:
    return Target(kind, "prod-project-1", source, "a reason")


@pytest.mark.parametrize("source", ["GOOGLE_CLOUD_PROJECT", "PROJECT_ID"])
def test_a_first_deploy_to_a_project_that_only_the_environment_names_is_refused(
    source: str,
) -> None:
    with pytest.raises(UsageError, match="prod-project-1") as caught:
        require_named_project(target(Kind.GOOGLE, source))
    assert caught.value.exit is Exit.USAGE
    assert "--project prod-project-1" in caught.value.resolution
    assert source in caught.value.brief


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        (Kind.GOOGLE, "flag"),
        (Kind.GOOGLE, "gpupipe.toml"),
        (Kind.LOCAL, "default"),
        (Kind.LOCAL, "flag"),
    ],
)
def test_a_project_that_was_named_is_not_asked_for_again(kind: Kind, source: str) -> None:
    require_named_project(target(kind, source))
