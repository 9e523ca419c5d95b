"""Billing Budgets' surface."""

from collections.abc import Iterable

from google.cloud.billing import budgets_v1 as pb
from google.protobuf.empty_pb2 import Empty

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.billingbudgets.service import Budgets
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.cloud.billing.budgets.v1.BudgetService", "billingbudgets.googleapis.com")
_BUDGET = (
    "budget.name",
    "budget.display_name",
    "budget.budget_filter.projects",
    "budget.amount.specified_amount",
    "budget.threshold_rules",
    "budget.etag",
)


class BillingBudgets(BaseSurface):
    """google.cloud.billing.budgets.v1.BudgetService."""

    def __init__(self, kernel: Kernel) -> None:
        self._budgets = Budgets(kernel)

    def rpcs(self) -> Iterable[Rpc]:
        """The five methods. The handlers check who may: an account lies in no project."""
        do = self._budgets
        for method, types, handler, resource, fields in (
            ("CreateBudget", (pb.CreateBudgetRequest, pb.Budget), do.create, "parent",
             ("parent", *_BUDGET)),
            ("GetBudget", (pb.GetBudgetRequest, pb.Budget), do.get, "name", ("name",)),
            ("ListBudgets", (pb.ListBudgetsRequest, pb.ListBudgetsResponse), do.list, "parent",
             ("parent", "page_size", "page_token")),
            ("UpdateBudget", (pb.UpdateBudgetRequest, pb.Budget), do.update, "budget.name",
             ("update_mask", *_BUDGET)),
            ("DeleteBudget", (pb.DeleteBudgetRequest, Empty), do.delete, "name", ("name",)),
        ):  # fmt: skip
            yield _TABLE.row(method, types, handler, "", resource,
                             writes=method[:3] not in {"Get", "Lis"}, fields=fields)  # fmt: skip


def build(kernel: Kernel, _: Pipeline) -> BillingBudgets:
    """The factory for `registry.SERVICES`."""
    return BillingBudgets(kernel)
