"""Cloud Quotas' surface."""

from collections.abc import Iterable

from google.cloud import cloudquotas_v1 as pb

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.cloudquotas.preferences import Preferences
from gpupipe.localcloud.services.cloudquotas.service import Quotas
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.api.cloudquotas.v1.CloudQuotas", "cloudquotas.googleapis.com")
_GET, _UPDATE = "cloudquotas.quotas.get", "cloudquotas.quotas.update"
_PAGED = ("parent", "page_size", "page_token")
_SET = ("quota_preference", "ignore_safety_checks")


class CloudQuotas(BaseSurface):
    """google.api.cloudquotas.v1.CloudQuotas; the quota adjuster is not emulated."""

    def __init__(self, kernel: Kernel) -> None:
        self._quotas = Quotas(kernel)
        self._preferences = Preferences(kernel)

    def rpcs(self) -> Iterable[Rpc]:
        """Reading quotas, and asking for others."""
        see, ask = self._quotas, self._preferences
        one = pb.QuotaPreference
        infos = (pb.ListQuotaInfosRequest, pb.ListQuotaInfosResponse)
        several = (pb.ListQuotaPreferencesRequest, pb.ListQuotaPreferencesResponse)
        for method, types, handler, permission, resource, fields in (
            ("GetQuotaInfo", (pb.GetQuotaInfoRequest, pb.QuotaInfo), see.get, _GET, "name",
             ("name",)),
            ("ListQuotaInfos", infos, see.list, _GET, "parent", _PAGED),
            ("GetQuotaPreference", (pb.GetQuotaPreferenceRequest, one), ask.get, _GET, "name",
             ("name",)),
            ("ListQuotaPreferences", several, ask.list, _GET, "parent", _PAGED),
            ("CreateQuotaPreference", (pb.CreateQuotaPreferenceRequest, one), ask.create, _UPDATE,
             "parent", ("parent", "quota_preference_id", *_SET)),
            ("UpdateQuotaPreference", (pb.UpdateQuotaPreferenceRequest, one), ask.update, _UPDATE,
             "quota_preference.name", ("update_mask", *_SET)),
        ):  # fmt: skip
            yield _TABLE.row(method, types, handler, permission, resource,
                             writes=permission == _UPDATE, fields=fields)  # fmt: skip


def build(kernel: Kernel, _: Pipeline) -> CloudQuotas:
    """The factory for `registry.SERVICES`."""
    return CloudQuotas(kernel)
