"""`load`: a source to a checked program, or all of its faults at once."""

from gpupipe.workflows.check import Checker
from gpupipe.workflows.errors import SourceError
from gpupipe.workflows.source import compose
from gpupipe.workflows.steps.loader import Loader
from gpupipe.workflows.steps.nodes import Program


def load(source: str) -> Program:
    """Parse and check. SourceError with every fault that was found."""
    loader = Loader()
    root, odd = compose(source)
    routines = loader.routines(root)
    checker = Checker(routines)
    checker.check()
    told = {(one.line, one.column) for one in odd}
    found = [one for one in [*loader.faults, *checker.faults] if (one.line, one.column) not in told]
    # An alias repeats the faults of its anchor, at the same place.
    faults = dict.fromkeys([*odd, *found])
    if faults:
        raise SourceError(tuple(sorted(faults, key=lambda one: (one.line, one.column))))
    return Program(routines)
