"""google.cloud.billing.budgets.v1.BudgetService: create, get, list, update, delete.

A billing account lies in no project, and its own policy is not emulated: the operator holds every
permission on the one account, nobody else holds any.
"""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from google.cloud.billing import budgets_v1 as pb
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from gpupipe.localcloud.errors import Code, ServiceError, invalid_argument, not_found
from gpupipe.localcloud.kernel.authorization import denied
from gpupipe.localcloud.kernel.billing import ACCOUNT
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call
from gpupipe.localcloud.transport.updates import WithoutMask, merged

Budget = raw(pb.Budget)
_KIND = "billing.budget"
_NAME = re.compile(r"(billingAccounts/[^/]+)/budgets/([^/]+)")
_LONGEST_NAME = 60  # Budget.display_name
_PROJECT = re.compile(r"projects/([^/]+)")
_CURRENCY = "USD"
_CURRENCIES = frozenset({"", _CURRENCY})


class Budgets:
    """Budgets of the account."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def create(self, request: Any, call: Call) -> Message:
        """CreateBudget."""
        self._allow(call, "create", request.parent)
        budget = Budget()
        budget.CopyFrom(request.budget)
        self._check(budget)
        budget.name = f"{ACCOUNT}/budgets/{uuid4()}"
        return self._put(budget)

    def get(self, request: Any, call: Call) -> Message:
        """GetBudget."""
        budget: Message = self._existing(call, "get", request.name)
        return budget

    def list(self, request: Any, call: Call) -> Message:
        """ListBudgets."""
        self._allow(call, "list", request.parent)
        page = self._kernel.resources.page(
            _KIND, ACCOUNT, size=request.page_size, token=request.page_token
        )
        answer: Message = raw(pb.ListBudgetsResponse)(
            budgets=[Budget.FromString(record.body) for record in page.records],
            next_page_token=page.next_token,
        )
        return answer

    def update(self, request: Any, call: Call) -> Message:
        """UpdateBudget."""
        with self._kernel.database.transaction():
            old = self._existing(call, "update", request.budget.name)
            if request.budget.etag and request.budget.etag != old.etag:
                raise ServiceError(Code.ABORTED, "The etag does not match: it has changed.")
            budget = merged(
                old,
                request.budget,
                request.update_mask,
                path="budget",
                without_mask=WithoutMask.WHOLE,
                keep=("name",),
            )
            self._check(budget)
            return self._put(budget)

    def delete(self, request: Any, call: Call) -> Message:
        """DeleteBudget."""
        budget = self._existing(call, "delete", request.name)
        self._kernel.resources.delete(_KIND, budget.name)
        return Empty()

    def _existing(self, call: Call, verb: str, name: str) -> Any:
        match = _NAME.fullmatch(name)
        if match is None:
            raise invalid_argument(
                f"Invalid budget name {name!r}: expected billingAccounts/ACCOUNT/budgets/BUDGET.",
                "name",
            )
        self._allow(call, verb, match[1])
        record = self._kernel.resources.get(_KIND, name)
        if record is None:
            raise not_found(f"Budget {name} was not found.")  # own words
        return Budget.FromString(record.body)

    def _allow(self, call: Call, verb: str, account: str) -> None:
        if account != ACCOUNT or not call.caller.is_operator:
            raise denied(f"billing.budgets.{verb}", account)

    def _check(self, budget: Any) -> None:
        for check in _CHECKS:
            check(budget)
        projects = []
        for name in budget.budget_filter.projects:
            match = _PROJECT.fullmatch(name)
            project = self._kernel.projects.get(match[1]) if match else None
            if project is None:
                path = "budget.budget_filter.projects"
                raise invalid_argument(f"{name!r} is no project: expected projects/PROJECT.", path)
            projects.append(f"projects/{project.number}")
        budget.budget_filter.projects[:] = projects

    def _put(self, budget: Any) -> Message:
        budget.etag = uuid4().hex
        if budget.amount.HasField("specified_amount"):
            budget.amount.specified_amount.currency_code = _CURRENCY
        self._kernel.resources.put(_KIND, budget.name, ACCOUNT, budget.SerializeToString())
        return budget  # type: ignore[no-any-return] # a Budget


def _name(budget: Any) -> None:
    if len(budget.display_name) > _LONGEST_NAME:
        path = "budget.display_name"
        raise invalid_argument(f"{path} has at most {_LONGEST_NAME} characters.", path)


def _amount(budget: Any) -> None:
    path = "budget.amount"
    if budget.amount.WhichOneof("budget_amount") is None:
        raise invalid_argument(f"{path} must say an amount.", path)
    money = budget.amount.specified_amount
    if money.currency_code not in _CURRENCIES:
        path = "budget.amount.specified_amount.currency_code"
        raise invalid_argument(f"The billing account is in {_CURRENCY}.", path)
    if money.units < 0 or money.nanos < 0:
        path = "budget.amount.specified_amount"
        raise invalid_argument(f"{path} must not be negative.", path)


def _thresholds(budget: Any) -> None:
    for rule in budget.threshold_rules:
        if rule.threshold_percent < 0:
            path = "budget.threshold_rules.threshold_percent"
            raise invalid_argument(f"{path} must not be negative.", path)


_CHECKS: tuple[Callable[[Any], None], ...] = (_name, _amount, _thresholds)
