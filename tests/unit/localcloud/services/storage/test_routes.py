"""A request finds its row by its path as sent; what has no row is refused by name."""

import pytest

from gpupipe.localcloud.services.storage.message import Inbound, Reply
from gpupipe.localcloud.services.storage.refusals import StorageError
from gpupipe.localcloud.services.storage.routes import Method, Routes, check_parameters


def handler(request: Inbound) -> Reply:
    del request
    return Reply()


GET = Method("GET", "b/{bucket}/o/{object}", "storage.objects.get", "storage.objects.get", handler)
COMPOSE = Method("POST", "b/{bucket}/o/{object}/compose", "storage.objects.compose", "", handler)
UPLOAD = Method(
    "POST", "b/{bucket}/o", "storage.objects.insert", "", handler, root="/upload/storage/v1"
)
ROUTES = Routes([GET, COMPOSE, UPLOAD])


def test_an_object_name_may_hold_slashes_and_words_of_the_api() -> None:
    found = ROUTES.match("GET", b"/storage/v1/b/bkt/o/a%2Fcompose%2Fb%20c%25", b"")
    assert found.method is GET
    assert found.path == {"bucket": "bkt", "object": "a/compose/b c%"}


@pytest.mark.parametrize("root", ["/upload", "/resumable/upload"])
def test_both_addresses_of_uploads(root: str) -> None:
    assert ROUTES.match("POST", f"{root}/storage/v1/b/bkt/o".encode(), b"").method is UPLOAD


def test_a_method_without_a_row_is_refused_by_name_and_without_5xx() -> None:
    with pytest.raises(StorageError, match=r"POST /storage/v1/b/\*/o/\*/moveTo") as refusal:
        ROUTES.match("POST", b"/storage/v1/b/bkt/o/secret/moveTo/o/other", b"")
    assert (refusal.value.status, refusal.value.reason) == (400, "notImplemented")
    assert "secret" not in refusal.value.message


@pytest.mark.parametrize(
    ("query", "headers", "named"),
    [
        ({"userProject": "p"}, {}, "userProject"),
        ({"kmsKeyName": "k"}, {}, "kmsKeyName"),
        ({}, {"x-goog-encryption-key": "k"}, "x-goog-encryption-key"),
        ({}, {"x-goog-copy-source-encryption-key": "k"}, "x-goog-copy-source-encryption-key"),
    ],
)
def test_what_changes_the_meaning_is_refused_not_ignored(
    query: dict[str, str], headers: dict[str, str], named: str
) -> None:
    with pytest.raises(StorageError, match=named):
        check_parameters(GET, query, headers)


def test_parameters_that_change_nothing_pass() -> None:
    check_parameters(GET, {"alt": "media", "prettyPrint": "false", "projection": "noAcl"}, {})


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (b"/storage/v1/b/bkt/o/%ff%fe", b""),
        (b"/storage/v1/b/bkt/o/%ed%a0%80", b""),
        (b"/storage/v1/b/bkt/o/\xff", b""),
        (b"/storage/v1/b/bkt/o/a", b"prefix=%fe"),
        (b"/storage/v1/b/bkt/o/a", b"%fe=1"),
        (b"/storage/v1/b/bkt/o/a", b"prefix=\xfe"),
    ],
)
def test_an_address_that_is_not_utf8_is_refused_not_rewritten(path: bytes, query: bytes) -> None:
    with pytest.raises(StorageError, match="UTF-8") as refusal:
        ROUTES.match("GET", path, query)
    assert refusal.value.status == 400


def test_a_query_keeps_every_value_and_gives_the_last() -> None:
    found = ROUTES.match("GET", b"/storage/v1/b/bkt/o/a", b"p=1&q=%C3%A9&p=&p=2")
    assert found.repeated == {"p": ("1", "", "2"), "q": ("\u00e9",)}
    assert found.query == {"p": "2", "q": "\u00e9"}
