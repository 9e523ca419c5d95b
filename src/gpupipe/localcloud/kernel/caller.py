"""Who is calling: a principal as IAM writes it."""

from dataclasses import dataclass

OPERATOR_EMAIL = "operator@gpupipe.local"


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in caller; `member` is its form in a policy ("user:…", "serviceAccount:…")."""

    member: str

    @property
    def email(self) -> str:
        """The address without the kind."""
        return self.member.partition(":")[2]

    @property
    def is_operator(self) -> bool:
        """The person at the terminal, who alone may use the control surface."""
        return self.member == f"user:{OPERATOR_EMAIL}"


OPERATOR = Caller(f"user:{OPERATOR_EMAIL}")
