from pathlib import Path

import pytest
from tests.support.clock import FakeClock

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.kernel.caller import OPERATOR
from gpupipe.localcloud.kernel.kernel import Kernel, build_kernel
from gpupipe.localcloud.settings import Settings

PROJECT = "demo-project"
AUDIENCE = "http://127.0.0.1:1/run/demo-project/us-central1/one"


@pytest.fixture
def email(kernel: Kernel) -> str:
    return kernel.identity.create_account(PROJECT, "someone", "Some One", "for tests").email


def reason(kernel: Kernel, token: str, audience: str = AUDIENCE) -> str:
    with pytest.raises(ServiceError) as refused:
        kernel.identity.verify_id_token(token, audience)
    assert refused.value.code is Code.UNAUTHENTICATED
    return refused.value.message


def rejected(kernel: Kernel, token: str) -> bool:
    try:
        kernel.identity.authenticate(token)
    except ServiceError as error:
        return error.code is Code.UNAUTHENTICATED
    return False


def test_accounts_come_and_go(kernel: Kernel, email: str) -> None:
    account = kernel.identity.account(email)
    assert account is not None
    assert (account.project, account.display_name, account.description) == (
        PROJECT,
        "Some One",
        "for tests",
    )
    assert kernel.identity.account(account.unique_id) == account
    assert kernel.identity.accounts(PROJECT) == (account,)
    with pytest.raises(ServiceError) as refused:
        kernel.identity.create_account(PROJECT, "someone")
    assert refused.value.message == (
        f"Service account someone already exists within project projects/{PROJECT}."
    )
    kernel.identity.delete_account(email)
    assert kernel.identity.account(email) is None
    again = kernel.identity.create_account(PROJECT, "someone")
    assert again.unique_id != account.unique_id


@pytest.mark.parametrize("bad", ["short", "Upper-case", "ends-", "a" * 31, "1digit-first"])
def test_bad_account_ids_are_refused(kernel: Kernel, bad: str) -> None:
    with pytest.raises(ServiceError) as refused:
        kernel.identity.create_account(PROJECT, bad)
    assert refused.value.code is Code.INVALID_ARGUMENT


def test_updates_change_only_what_is_given(kernel: Kernel, email: str) -> None:
    changed = kernel.identity.update_account(email, display_name="New")
    assert (changed.display_name, changed.description) == ("New", "for tests")
    with pytest.raises(ServiceError) as refused:
        kernel.identity.update_account("nobody@x.iam.gserviceaccount.com", display_name="New")
    assert refused.value.message == "Unknown service account"


def test_the_operator_is_known_by_the_token_in_the_file(kernel: Kernel) -> None:
    token = kernel.settings.token.read_text().strip()
    assert kernel.identity.authenticate(token) == OPERATOR
    assert rejected(kernel, token + "x")
    assert rejected(kernel, "")


def test_access_tokens_end(kernel: Kernel, email: str, clock: FakeClock) -> None:
    token, expires = kernel.identity.access_token(email, 60)
    assert kernel.identity.authenticate(token).member == f"serviceAccount:{email}"
    assert (expires - clock.now()).total_seconds() == 60
    clock.advance(60)
    assert rejected(kernel, token)


def test_tokens_of_disabled_and_deleted_accounts_are_worth_nothing(
    kernel: Kernel, email: str
) -> None:
    token, _ = kernel.identity.access_token(email)
    kernel.identity.update_account(email, disabled=True)
    assert rejected(kernel, token)
    kernel.identity.update_account(email, disabled=False)
    assert not rejected(kernel, token)
    kernel.identity.delete_account(email)
    kernel.identity.create_account(PROJECT, "someone")
    assert rejected(kernel, token)


def test_access_tokens_are_not_in_the_database(kernel: Kernel, email: str) -> None:
    token, _ = kernel.identity.access_token(email)
    kernel.database.close()
    assert token.encode() not in kernel.settings.database.read_bytes()


def test_an_identity_token_is_good_for_its_audience_and_time(
    kernel: Kernel, email: str, clock: FakeClock
) -> None:
    token = kernel.identity.id_token(email, AUDIENCE)
    assert kernel.identity.verify_id_token(token, AUDIENCE) == email
    assert "audience" in reason(kernel, token, AUDIENCE + "x")
    clock.advance(3600)
    assert "expired" in reason(kernel, token)


def test_an_identity_token_of_a_former_account_of_the_same_name_is_refused(
    kernel: Kernel, email: str
) -> None:
    token = kernel.identity.id_token(email, AUDIENCE)
    kernel.identity.delete_account(email)
    assert "does not exist" in reason(kernel, token)
    kernel.identity.create_account(PROJECT, "someone")
    assert "deleted account" in reason(kernel, token)


def test_tampered_and_foreign_tokens_are_refused(
    kernel: Kernel, email: str, tmp_path: Path, clock: FakeClock
) -> None:
    token = kernel.identity.id_token(email, AUDIENCE)
    head, body, signature = token.split(".")
    assert "signature" in reason(kernel, f"{head}.{body[:-2]}AA.{signature}")
    assert "not a JSON web token" in reason(kernel, "junk")
    assert "not a JSON web token" in reason(kernel, f"{head}.{body}.not~base64")
    other = build_kernel(Settings(tmp_path / "other"), clock)
    other.identity.issuer = kernel.identity.issuer
    other.identity.create_account(PROJECT, "someone")
    assert "signature" in reason(kernel, other.identity.id_token(email, AUDIENCE))
    other.database.close()
    other.log_database.close()


def test_a_token_without_signature_algorithm_is_refused(kernel: Kernel, email: str) -> None:
    _, body, _ = kernel.identity.id_token(email, AUDIENCE).split(".")
    none = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}
    assert "RS256" in reason(kernel, f"{none}.{body}.")


def test_operators_get_no_identity_token(kernel: Kernel) -> None:
    with pytest.raises(ServiceError):
        kernel.identity.id_token(OPERATOR.email, AUDIENCE)


def test_secrets_are_private_and_stay(kernel: Kernel, clock: FakeClock) -> None:
    settings = kernel.settings
    for path in (settings.token, settings.signing_key):
        assert path.stat().st_mode & 0o777 == 0o600
    again = build_kernel(settings, clock)
    assert again.identity.operator_token == kernel.identity.operator_token
    assert again.identity.public_keys() == kernel.identity.public_keys()
    again.database.close()
    again.log_database.close()


def test_a_secret_that_others_could_read_is_replaced(kernel: Kernel, clock: FakeClock) -> None:
    kernel.settings.token.chmod(0o644)
    again = build_kernel(kernel.settings, clock)
    assert again.identity.operator_token != kernel.identity.operator_token
    assert kernel.settings.token.stat().st_mode & 0o777 == 0o600
    again.database.close()
    again.log_database.close()


def test_knows(kernel: Kernel, email: str) -> None:
    assert kernel.identity.knows(f"serviceAccount:{email}")
    assert not kernel.identity.knows("serviceAccount:nobody@demo-project.iam.gserviceaccount.com")
    assert kernel.identity.knows("user:anybody@example.com")


def test_a_new_account_is_there_for_nobody_until_it_is_visible(
    kernel: Kernel, clock: FakeClock
) -> None:
    kernel.behaviour.propagation_s = 90
    email = kernel.identity.create_account(PROJECT, "newcomer").email
    assert kernel.identity.account(email) is None
    assert kernel.identity.accounts(PROJECT) == ()
    assert not kernel.identity.knows(f"serviceAccount:{email}")
    with pytest.raises(ServiceError) as refused:
        kernel.identity.create_account(PROJECT, "newcomer")
    assert refused.value.code is Code.ALREADY_EXISTS
    clock.advance(90)
    account = kernel.identity.account(email)
    assert account is not None
    assert kernel.identity.accounts(PROJECT) == (account,)


def test_a_disabled_account_is_refused_with_the_token_that_it_has(
    kernel: Kernel, email: str
) -> None:
    token, _ = kernel.identity.access_token(email)
    kernel.identity.update_account(email, disabled=True)
    assert rejected(kernel, token)
    kernel.identity.update_account(email, disabled=False)
    assert not rejected(kernel, token)
