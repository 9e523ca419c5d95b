"""The measurements: `python -m bench [NAME ...]`, all of them without an argument.

Each prints ratios of what ran side by side in one run on one machine; ratios travel between
machines, seconds do not.
"""

import sys
from collections.abc import Callable, Mapping

from bench import commands, deploys, pipeline, storage, workflows
from bench.inference import report as inference

BENCHES: Mapping[str, Callable[[], None]] = {
    "commands": commands.main,
    "deploys": deploys.main,
    "storage": storage.main,
    "workflows": workflows.main,
    "inference": inference.main,
    "pipeline": pipeline.main,
}


def main(arguments: list[str]) -> int:
    """Run the measurements that are named; 2 for a name that is none."""
    if unknown := set(arguments) - BENCHES.keys():
        print(f"usage: python -m bench [{'|'.join(BENCHES)}] (not {', '.join(sorted(unknown))})")
        return 2
    for name in arguments or BENCHES:
        BENCHES[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
