"""GPU types of Cloud Run: dated data, since it ages faster than releases come out.

The file `gpus.toml` beside this module holds the table; a file of the same form that GPUPIPE_GPUS
names replaces and adds types. A region that it lacks is tried all the same.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gpupipe.core.errors import UsageError

NO_GPU = "none"
VARIABLE = "GPUPIPE_GPUS"


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU type: what an instance with it needs at least, where it is, which quotas count it.

    regions: documented ones on the day `as_of`; invitation: those of them that are by invitation
    only; unsure: those where sources differ. quota and zonal_quota: ids of quotas of run.googleapis.com.
    """

    name: str
    as_of: str
    least_cpu: int
    least_memory: str
    regions: tuple[str, ...]
    invitation: frozenset[str]
    unsure: frozenset[str]
    quota: str
    zonal_quota: str

    def quota_id(self, *, zonal: bool) -> str:
        """The quota that counts it, with or without zonal redundancy."""
        return self.zonal_quota if zonal else self.quota


def read(path: Path) -> Mapping[str, Gpu]:
    """The types of a table. UsageError where it is not one."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: _gpu(name, content["as_of"], row) for name, row in content["gpu"].items()}
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"The table of GPU types {path} cannot be used.",
            details=f"{type(error).__name__}: {error}",
            resolution=f"Mend the file, or unset {VARIABLE}.",
            doc="reference/configuration.md#gpu-types",
        ) from error


def _gpu(name: str, as_of: object, row: Mapping[str, object]) -> Gpu:
    def texts(key: str) -> tuple[str, ...]:
        found = row.get(key, [])
        if not isinstance(found, list):
            raise TypeError(f"{name}.{key} must be a list of regions")
        return tuple(str(one) for one in found)

    return Gpu(
        name=name,
        as_of=str(as_of),
        least_cpu=int(str(row["least_cpu"])),
        least_memory=str(row["least_memory"]),
        regions=texts("regions"),
        invitation=frozenset(texts("invitation")),
        unsure=frozenset(texts("unsure")),
        quota=str(row["quota"]),
        zonal_quota=str(row["zonal_quota"]),
    )


_PACKAGED = read(Path(__file__).with_name("gpus.toml"))


def table() -> Mapping[str, Gpu]:
    """The types in force: the packaged ones, with what the user's own table says otherwise."""
    own = os.environ.get(VARIABLE)
    return {**_PACKAGED, **read(Path(own))} if own else _PACKAGED
