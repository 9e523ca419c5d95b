"""What options take: the types of `gpupipe.core.options`, each with its check and its words."""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from gpupipe.core import gpus
from gpupipe.core.errors import UsageError
from gpupipe.core.gpus import NO_GPU

_MOST_LABELS = 32  # of the 64 that a resource takes; gpupipe needs some of its own
_KEY = r"^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$"
CONNECTOR = r"^projects/[^/]+/locations/[^/]+/connectors/[^/]+$"
CHANNEL = r"^projects/[a-z0-9-]+/notificationChannels/[0-9]+$"
_BUCKET = r"^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$"
_LOCATION = r"^([a-z]+(-[a-z]+)+[0-9]+|us|eu)$"
_LABEL_KEY = r"^[a-z][a-z0-9_-]{0,62}$"
_LABEL_VALUE = r"^[a-z0-9_-]{0,63}$"
_OURS = ("gpupipe", "managed-by")


def _number_as_text(value: Any) -> Any:
    """`cpu = 4` is meant as `cpu = "4"`."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def checked(check: Any) -> AfterValidator:
    """A check of core.names as one of a field."""

    def apply(value: str) -> str:
        try:
            check(value)
        except UsageError as error:
            raise ValueError(f"{error.brief} {error.details or error.resolution}") from error
        return value

    return AfterValidator(apply)


def _check_label(key: str) -> str:
    if key.startswith(_OURS):
        raise ValueError(
            "labels that begin with gpupipe, and managed-by, are set by gpupipe itself"
        )
    return key


def _known_gpu(name: str) -> str:
    if name != NO_GPU and name not in gpus.table():
        raise ValueError(
            f"Cloud Run has no such GPU that gpupipe knows of ({gpus.VARIABLE} adds one)"
        )
    return name


def _in_range(days: int) -> int:
    if days != 0 and not 7 <= days <= 90:  # noqa: PLR2004  # Cloud Storage's
        raise ValueError("Cloud Storage keeps deleted objects for 7 to 90 days, or not at all")
    return days


def allowed(words: str) -> Any:
    """What a field takes, in words, where its schema does not say it well."""
    return Field(json_schema_extra={"x-allowed": words})


Memory = Annotated[
    str,
    Field(pattern=r"^[1-9][0-9]{0,6}(Mi|Gi)$"),
    allowed('a number with Mi or Gi, as "512Mi" or "16Gi"'),
]
Cpu = Annotated[
    str,
    BeforeValidator(_number_as_text),
    Field(pattern=r"^[12468]$"),
    allowed('"1", "2", "4", "6" or "8"'),
]
GpuCpu = Annotated[
    str,
    BeforeValidator(_number_as_text),
    Field(pattern=r"^[1-9][0-9]?$"),
    allowed('"1", "2", "4", "6" or "8", or what the GPU needs at least'),
]
GpuName = Annotated[
    str,
    AfterValidator(_known_gpu),
    allowed(f'{", ".join(json.dumps(name) for name in gpus.table())} or "{NO_GPU}"'),
]
KmsKey = Annotated[
    str,
    Field(pattern=_KEY),
    allowed("projects/P/locations/L/keyRings/R/cryptoKeys/K, in the pipeline's region"),
]
BucketName = Annotated[
    str,
    Field(pattern=_BUCKET),
    allowed("3 to 63 small letters, digits, hyphens, underscores and dots"),
]
Location = Annotated[
    str, Field(pattern=_LOCATION), allowed('a region as "us-central1", or "us" or "eu"')
]
StorageClass = Literal["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"]
Days = Annotated[int, Field(ge=0, le=3650)]
SoftDelete = Annotated[
    int,
    AfterValidator(_in_range),
    Field(json_schema_extra={"x-allowed": "0, or a whole number from 7 to 90"}),
]
Labels = Annotated[
    dict[
        Annotated[str, Field(pattern=_LABEL_KEY), AfterValidator(_check_label)],
        Annotated[str, Field(pattern=_LABEL_VALUE)],
    ],
    Field(max_length=_MOST_LABELS),
    allowed(
        f"up to {_MOST_LABELS}; keys and values of at most 63 small letters, digits, hyphens and "
        "underscores, keys with a letter first"
    ),
]
ModelReference = Annotated[
    str,
    Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?@[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"),
    allowed("NAME@VERSION"),
]
Place = Annotated[str, Field(min_length=1, max_length=4096)]
ImageReference = Annotated[
    str,
    Field(pattern=r"^[a-z0-9.-]+(:[0-9]+)?(/[a-zA-Z0-9._-]+)+(:[\w.-]+|@sha256:[0-9a-f]{64})$"),
    allowed("HOST/PATH:TAG or HOST/PATH@sha256:DIGEST"),
]


class Strict(BaseModel):
    """A table of the file: no other keys, no values of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
