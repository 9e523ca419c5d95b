"""What steps learn and later steps need: one typed record, filled while observing and applying.

A value that is not there yet is None or absent; a plan shows it as `known after …`.
"""

from dataclasses import dataclass, field
from datetime import datetime

from gpupipe.core.errors import GpupipeError


@dataclass(slots=True)
class Facts:
    """Outputs of steps.

    images: service -> image reference by digest. uris: service -> the `uri` that Cloud Run gave it.
    max_instances: service -> what the quotas allow of what is wanted. no_capacity: service -> why
    that is not known or too little. notes: step -> what a person should know about the plan.
    carriers: topic and subscription that Eventarc made for the trigger, subscription: the id of the latter,
    "" while there is none. release: the name of what
    this run rolls out, "" while it only looks. held: what this run removed and Google keeps a trace of,
    until when; it costs nothing and grants nothing.
    """

    images: dict[str, str] = field(default_factory=dict)
    uris: dict[str, str] = field(default_factory=dict)
    max_instances: dict[str, int] = field(default_factory=dict)
    no_capacity: dict[str, GpupipeError] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    carriers: set[str] = field(default_factory=set)
    subscription: str = ""
    release: str = ""
    held: dict[str, datetime] = field(default_factory=dict)
