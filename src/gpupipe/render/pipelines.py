"""The pipelines that there are, where the one that was asked for is not."""

from collections.abc import Sequence

from rich.console import Console

from gpupipe.deploy.pipelines import Pipeline
from gpupipe.render.console import say


def pipelines_json(found: Sequence[Pipeline]) -> list[dict[str, str]]:
    """The documented shape."""
    return [{"prefix": one.prefix, "region": one.region} for one in found]


def print_pipelines(console: Console, found: Sequence[Pipeline]) -> None:
    """Each on a line, with the options that name it; what to type where there is none."""
    if not found:
        say(console, "There is no pipeline in this project. Make one with: gpupipe deploy")
        return
    say(console, "Pipelines in this project:")
    for one in found:
        say(console, f"  {one.prefix}  (--prefix {one.prefix} --region {one.region})")
