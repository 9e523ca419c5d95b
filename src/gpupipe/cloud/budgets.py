"""Billing Budgets: the budget of a pipeline, found by its name and project."""

from dataclasses import dataclass, replace
from typing import Any

from gpupipe.cloud.api import Api
from gpupipe.cloud.call import none_if_missing


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget that tells when a share of the amount is spent; it stops nothing.

    account: "billingAccounts/…"; display_name: at most 60 characters; project: number; amount: in
    whole units of the account's currency, a month; thresholds: per cent; name: the API's.
    """

    account: str
    display_name: str
    project: int
    amount: int
    thresholds: tuple[int, ...]
    name: str = ""


class BudgetsApi(Api):
    """The calls that gpupipe needs of Billing Budgets."""

    def find(self, account: str, display_name: str, project: int) -> Budget | None:
        """The budget of this name for this project alone, or None."""
        listed = none_if_missing(
            lambda: self._all(
                "Listing budgets", account, self._client.list_budgets, {"parent": account}
            )
        )
        wanted = [f"projects/{project}"]
        return next(
            (
                _budget(account, project, one)
                for one in listed or ()
                if one.display_name == display_name and list(one.budget_filter.projects) == wanted
            ),
            None,
        )

    def create(self, wanted: Budget) -> None:
        """Make the budget."""
        request = {"parent": wanted.account, "budget": _message(wanted)}
        self._unary(
            "Creating the budget", wanted.account, self._client.create_budget, request,
            idempotent=False,
        )  # fmt: skip

    def update(self, wanted: Budget, name: str) -> None:
        """Set amount and thresholds."""
        request = {
            "budget": _message(replace(wanted, name=name)),
            "update_mask": {"paths": ["amount", "threshold_rules"]},
        }
        self._unary("Updating the budget", name, self._client.update_budget, request)

    def delete(self, name: str) -> None:
        """Delete the budget."""
        self._unary("Deleting the budget", name, self._client.delete_budget, {"name": name})

    @property
    def _client(self) -> Any:
        return self._clients.client("budgets")


def _message(wanted: Budget) -> dict[str, Any]:
    return {
        "name": wanted.name,
        "display_name": wanted.display_name,
        "budget_filter": {"projects": [f"projects/{wanted.project}"]},
        "amount": {"specified_amount": {"units": wanted.amount}},
        "threshold_rules": [{"threshold_percent": one / 100} for one in wanted.thresholds],
    }


def _budget(account: str, project: int, found: Any) -> Budget:
    return Budget(
        account=account,
        display_name=str(found.display_name),
        project=project,
        amount=int(found.amount.specified_amount.units),
        thresholds=tuple(round(rule.threshold_percent * 100) for rule in found.threshold_rules),
        name=str(found.name),
    )
