"""What the control surface takes: typed, closed, checked again here whoever sent it."""

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from gpupipe.localcloud.errors import Code, invalid_argument
from gpupipe.localcloud.kernel.faults import Fault, Kind

T = TypeVar("T")
_WITH_CODE = frozenset({Kind.ERROR, Kind.OPERATION})
_MAY_HAVE_CODE = _WITH_CODE | {Kind.LOST}
_WITH_SECONDS = frozenset({Kind.STALL, Kind.SLOW})


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CallFaultIn(_Input):
    """A fault of the next calls of a method; see `kernel.faults.Kind`. seconds: of the cloud's clock."""

    kind: Kind = Kind.ERROR
    method: str = Field(min_length=1)
    times: int = Field(default=1, ge=1, le=1_000_000)
    code: str | None = None
    seconds: float = Field(default=0, ge=0, le=86_400)
    message: str = ""
    retry_after_s: float | None = Field(default=None, ge=0, le=86_400)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.code is not None and self.code not in Code.__members__:
            raise ValueError(f"{self.code!r} is not a canonical code")
        if (self.code is None and self.kind in _WITH_CODE) or (
            self.code is not None and self.kind not in _MAY_HAVE_CODE
        ):
            raise ValueError(f"code: a fault of the kind {self.kind} has one or must not")
        if (self.seconds > 0) is not (self.kind in _WITH_SECONDS):
            raise ValueError(f"seconds: a fault of the kind {self.kind} has some or must not")
        return self

    def fault(self) -> Fault:
        """As the kernel has it."""
        return Fault(
            self.method,
            self.kind,
            self.times,
            None if self.code is None else Code[self.code],
            self.seconds,
            self.message,
            self.retry_after_s,
        )


class PropagationIn(_Input):
    """New grants, accounts and enabled APIs have their effect so many seconds later."""

    kind: Literal["propagation"]
    seconds: float


class AgentIn(_Input):
    """The service agent of an API ("eventarc.googleapis.com") is taken away, with its roles."""

    kind: Literal["agent"]
    api: str
    project: str = Field(min_length=1)


def _sort(given: Any) -> str:
    kind = given.get("kind") if isinstance(given, dict) else None
    return kind if kind in {"propagation", "agent"} else "call"


FaultIn = Annotated[
    Annotated[CallFaultIn, Tag("call")]
    | Annotated[PropagationIn, Tag("propagation")]
    | Annotated[AgentIn, Tag("agent")],
    Discriminator(_sort),
]
FAULTS: TypeAdapter[Any] = TypeAdapter(FaultIn | list[FaultIn])


class QuotaIn(_Input):
    """A quota's new limit."""

    project: str
    service: str
    quota_id: str
    region: str
    value: int = Field(ge=0, le=2**62)


class DenialIn(_Input):
    """A permission or role of the operator's, in one project or ("") in all."""

    name: str = Field(min_length=1)
    project: str = ""


class ResourceIn(_Input):
    """What is there of an API that is not emulated; encrypters: accounts that may use a key."""

    name: str = Field(min_length=1, max_length=1000)
    encrypters: list[str] = []


class LatencyIn(_Input):
    """What the typical durations are multiplied with; 0 ends them."""

    factor: float


class AdvanceIn(_Input):
    """How far the clock is moved ahead."""

    seconds: float = Field(ge=0)


def _place(location: tuple[int | str, ...]) -> str:
    """Where in the body: without the names that pydantic has for the alternatives of a type."""
    return ".".join(str(part) for part in location if str(part).isidentifier()) or "body"


def parsed(adapter: TypeAdapter[T], body: bytes) -> T:
    """A body as its type; INVALID_ARGUMENT."""
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        reasons = "; ".join(
            f"{_place(item['loc'])}: {item['msg']}" for item in error.errors(include_url=False)
        )
        raise invalid_argument(f"The body is not valid: {reasons}.") from error
