"""Names of buckets and objects that Cloud Storage refuses."""

import pytest

from gpupipe.localcloud.services.storage.names import check_bucket_name, check_object_name
from gpupipe.localcloud.services.storage.refusals import StorageError


@pytest.mark.parametrize("name", ["abc", "ml-pipeline-input-demo", "a_b", "9lives", "a" * 63])
def test_bucket_name(name: str) -> None:
    assert check_bucket_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "ab", "a" * 64, "Abc", "-abc", "abc-", "_abc", "goog-x", "my-google-x", "my-g00gle"),
        *("192.168.5.4", "a..b", "a b", "abc\n", None, 7, "verified.example"),
    ],
)
def test_bucket_name_refused(name: object) -> None:
    with pytest.raises(StorageError) as refusal:
        check_bucket_name(name)
    assert refusal.value.status in {400, 403}


@pytest.mark.parametrize("name", ["a", "a/b c.txt", "ünï/✓", "a" * 1024, "..a", "%2F"])
def test_object_name(name: str) -> None:
    assert check_object_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a\nb", "a\rb", "é" * 513, ".well-known/acme-challenge/x", None]
)
def test_object_name_refused(name: object) -> None:
    with pytest.raises(StorageError):
        check_object_name(name)
