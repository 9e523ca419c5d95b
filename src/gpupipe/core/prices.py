"""The price table: dated data with its source. A price that it lacks is unknown, never guessed.

The file `prices.toml` beside this module holds it; a file of the same form that GPUPIPE_PRICES names is
used instead.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from gpupipe.core.errors import UsageError

VARIABLE = "GPUPIPE_PRICES"
_NUMBERS = ("cpu_second", "memory_gib_second")
_BY_GPU = ("gpu_second", "zonal_gpu_second")


@dataclass(frozen=True, slots=True)
class Prices:
    """What is known for one region; None or absent = unknown. Amounts are for one second.

    cpu and memory (of a GiB): of instances that are billed for their whole life. gpu, zonal_gpu:
    by type, without and with zonal redundancy.
    """

    as_of: str
    source: str
    currency: str
    region: str
    cpu: Decimal | None
    memory: Decimal | None
    gpu: Mapping[str, Decimal]
    zonal_gpu: Mapping[str, Decimal]


def prices(region: str) -> Prices:
    """The table's prices of a region. UsageError where the user's own table is none."""
    own = os.environ.get(VARIABLE)
    path = Path(own) if own else Path(__file__).with_name("prices.toml")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        return _prices(content, region)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidOperation) as error:
        raise UsageError(
            f"The price table {path} cannot be used.",
            details=f"{type(error).__name__}: {error}",
            resolution=f"Mend the file, or unset {VARIABLE}.",
            doc="reference/cost.md",
        ) from error


def _prices(content: Mapping[str, Any], region: str) -> Prices:
    row = content["region"].get(region, {})
    cpu, memory = (_amount(row[name]) if name in row else None for name in _NUMBERS)
    gpu, zonal = (
        {str(kind): _amount(one) for kind, one in row.get(name, {}).items()} for name in _BY_GPU
    )
    return Prices(
        as_of=str(content["as_of"]),
        source=str(content["source"]),
        currency=str(content["currency"]),
        region=region,
        cpu=cpu,
        memory=memory,
        gpu=gpu,
        zonal_gpu=zonal,
    )


def _amount(value: object) -> Decimal:
    found = Decimal(str(value))
    if not found.is_finite() or found < 0:
        raise ValueError(f"{value} is no price")
    return found
