"""Quota preferences: asking for more, or less, of a quota in a region.

Google decides about increases in its own time. Here a rule of the local cloud decides: an increase
is granted up to ten times the limit of a new project (up to 10 where that is none) when somebody
pays for the project, else it is denied. The answer to a request is still reconciling; whoever reads
the preference next sees the decision, and its `state_detail` says whose it is.
"""

from typing import Any
from uuid import uuid4

from google.cloud import cloudquotas_v1 as pb
from google.protobuf.message import Message

from gpupipe.localcloud.errors import (
    Code,
    ServiceError,
    already_exists,
    failed_precondition,
    invalid_argument,
    not_found,
    unimplemented,
)
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.projects import Project
from gpupipe.localcloud.kernel.quotas import DEFAULTS
from gpupipe.localcloud.kernel.regions import REGIONS
from gpupipe.localcloud.services.cloudquotas.names import parse
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call
from gpupipe.localcloud.transport.updates import WithoutMask, merged

QuotaPreference = raw(pb.QuotaPreference)
_KIND = "cloudquotas.preference"
_ID = r"/quotaPreferences/([a-zA-Z0-9_-]+)"
_TIMES, _LEAST = 10, 10
_PERCENTAGE = int(pb.QuotaSafetyCheck.QUOTA_DECREASE_PERCENTAGE_TOO_HIGH)
_SMALL_DECREASE = 0.9
_FIXED = ("service", "quota_id")


class Preferences:
    """Create, get, list, update."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def create(self, request: Any, _: Call) -> Message:
        """CreateQuotaPreference: one for each quota and region."""
        project, _none = parse(self._kernel.projects, request.parent, "", "parent")
        preference = QuotaPreference()
        preference.CopyFrom(request.quota_preference)
        own_id = request.quota_preference_id or str(uuid4())
        preference.name = f"{project.name}/locations/global/quotaPreferences/{own_id}"
        parse(self._kernel.projects, preference.name, _ID, "quota_preference_id")
        self._check(project, preference, request.ignore_safety_checks)
        with self._kernel.database.transaction():
            self._check_new(preference)
            preference.create_time.FromDatetime(self._kernel.clock.now())
            return self._ask(project, preference)

    def get(self, request: Any, _: Call) -> Message:
        """GetQuotaPreference."""
        project, preference = self._existing(request.name, "name")
        return _shown(project, preference)

    def list(self, request: Any, _: Call) -> Message:
        """ListQuotaPreferences."""
        project, _none = parse(self._kernel.projects, request.parent, "", "parent")
        page = self._kernel.resources.page(
            _KIND, project.name, size=request.page_size, token=request.page_token
        )
        found = [QuotaPreference.FromString(record.body) for record in page.records]
        answer: Message = raw(pb.ListQuotaPreferencesResponse)(
            quota_preferences=[_shown(project, one) for one in found],
            next_page_token=page.next_token,
        )
        return answer

    def update(self, request: Any, _: Call) -> Message:
        """UpdateQuotaPreference: another value is asked for."""
        new = request.quota_preference
        with self._kernel.database.transaction():
            project, old = self._existing(new.name, "quota_preference.name")
            if new.etag and new.etag != old.etag:
                raise ServiceError(Code.ABORTED, "The etag does not match: it has changed.")
            preference = merged(
                old,
                new,
                request.update_mask,
                path="quota_preference",
                without_mask=WithoutMask.WHOLE,
                keep=("name", *_FIXED),
            )
            self._check(project, preference, request.ignore_safety_checks)
            return self._ask(project, preference)

    def _existing(self, name: str, path: str) -> tuple[Project, Any]:
        project, (own_id,) = parse(self._kernel.projects, name, _ID, path)
        key = f"{project.name}/locations/global/quotaPreferences/{own_id}"
        record = self._kernel.resources.get(_KIND, key)
        if record is None:
            raise not_found(f"Quota preference {key} was not found.")  # own words
        return project, QuotaPreference.FromString(record.body)

    def _check(self, project: Project, preference: Any, ignored: Any) -> None:
        if (preference.service, preference.quota_id) not in DEFAULTS:
            raise not_found(f"Quota {preference.quota_id} of {preference.service} was not found.")
        if set(preference.dimensions) - {"region"}:
            raise invalid_argument(
                "The quota has the dimension region only.", "quota_preference.dimensions"
            )
        if not preference.dimensions:
            raise unimplemented("quota preferences for all regions at once")
        if preference.dimensions["region"] not in REGIONS:
            path = "quota_preference.dimensions"
            raise invalid_argument(f"{preference.dimensions['region']!r} is no region.", path)
        wanted, limit = preference.quota_config.preferred_value, self._limit(project, preference)
        if wanted < -1:
            path = "quota_preference.quota_config.preferred_value"
            raise invalid_argument(f"{path} must be -1 or more.", path)
        if _more(wanted, limit) and not preference.contact_email:
            path = "quota_preference.contact_email"
            raise invalid_argument(f"An increase needs {path}.", path)
        if 0 <= wanted < limit * _SMALL_DECREASE and _PERCENTAGE not in ignored:
            raise failed_precondition(
                "The quota would be decreased by more than 10 %: ignore_safety_checks allows it."
            )

    def _check_new(self, preference: Any) -> None:
        parent = preference.name.partition("/locations/")[0]
        for record in self._kernel.resources.all(_KIND, parent):
            other = QuotaPreference.FromString(record.body)
            if other.name == preference.name or _target(other) == _target(preference):
                raise already_exists(f"Quota preference {other.name} already exists.")

    def _ask(self, project: Project, preference: Any) -> Message:
        """Keep the decision; the answer is that of a request that is looked at."""
        limit = self._limit(project, preference)
        preference.ClearField("contact_email")
        preference.etag = uuid4().hex
        preference.update_time.FromDatetime(self._kernel.clock.now())
        config = preference.quota_config
        config.granted_value.value, config.state_detail = limit, ""
        asked = QuotaPreference()
        asked.CopyFrom(preference)
        asked.reconciling = True
        self._decide(project, preference, limit)
        body = preference.SerializeToString()
        self._kernel.resources.put(_KIND, preference.name, project.name, body)
        return _shown(project, asked)

    def _decide(self, project: Project, preference: Any, limit: int) -> None:
        config, default = preference.quota_config, DEFAULTS[_target(preference)[:2]]
        most = max(default * _TIMES, _LEAST)
        paid = bool(self._kernel.billing.account(project.id))
        wanted = config.preferred_value
        if _more(wanted, limit) and (_more(wanted, most) or not paid):
            why = f"it grants at most {most}" if paid else "nobody pays for the project"
            config.state_detail = f"Denied by a rule of the local cloud: {why}."
            return
        config.state_detail = "Granted by a rule of the local cloud."
        config.granted_value.value = wanted
        region = preference.dimensions["region"]
        self._kernel.quotas.set(project.id, preference.service, preference.quota_id, region, wanted)

    def _limit(self, project: Project, preference: Any) -> int:
        service, quota_id, region = _target(preference)
        return self._kernel.quotas.limit(project.id, service, quota_id, region)


def _target(preference: Any) -> tuple[str, str, str]:
    return preference.service, preference.quota_id, preference.dimensions["region"]


def _more(wanted: int, than: int) -> bool:
    """Whether a value is above another; -1 is unlimited."""
    return wanted > than or wanted == -1


def _shown(project: Project, preference: Any) -> Message:
    """By the project's number, as Google names them."""
    shown: Message = QuotaPreference()
    shown.CopyFrom(preference)
    shown.name = preference.name.replace(  # type: ignore[attr-defined] # a QuotaPreference
        project.name, f"projects/{project.number}", 1
    )
    return shown
