"""Every input format through POST /preprocess: what becomes of each file, and what is refused."""

import base64
import io
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image

from common.images import decode_picture
from common.problems import ProblemError
from common.settings import Environment
from preprocess.app import create_app, read_settings
from preprocess.chunks import Chunk, bounded
from tests.services.fakes import (
    INPUT,
    WORK,
    FixedClock,
    MemoryStore,
    TestClient,
    client_of,
    error_of,
    opener,
)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def client(store: MemoryStore) -> Iterator[TestClient]:
    settings = read_settings(Environment({"WORK_BUCKET": WORK}))
    with client_of(create_app(settings, opener(store), FixedClock())) as client:
        yield client


Send = Callable[[str, bytes], Any]


@pytest.fixture
def send(client: TestClient, store: MemoryStore) -> Send:
    """Puts a file into the bucket and preprocesses it."""

    def run(name: str, data: bytes) -> Any:
        source = {"bucket": INPUT, "name": name, "generation": store.put(INPUT, name, data)}
        return client.post("/preprocess", json={"input": source, "execution_id": "e-1"})

    return run


def items_of(store: MemoryStore, response: Any) -> list[Any]:
    assert response.status_code == 200, response.text
    return [
        json.loads(line)
        for chunk in response.json()["chunks"]
        for line in store.data(WORK, chunk["name"]).split(b"\n")
        if line
    ]


def short(item: dict[str, Any]) -> tuple[Any, ...]:
    """id, row and the text, or the code of the error."""
    return item["id"], item["row"], item["error"]["code"] if "error" in item else item["text"]


@pytest.mark.promise("S75")
@pytest.mark.parametrize(
    ("text", "items"),
    [
        ('"good"', [("0", 1, "good")]),
        ('{"text": "good", "id": "x-1", "stars": 5}', [("x-1", 1, "good")]),
        ('["a", {"text": "b", "id": 7}]', [("0", 1, "a"), ("7", 2, "b")]),
        ('{"instances": ["a"], "parameters": {}}', [("0", 1, "a")]),
        ('{"text": "first", "text": "last"}', [("0", 1, "last")]),
        ('["a", null, 5, {"txt": "x"}, {"text": 5}, " ", {"text": "b", "id": [1]}]',
         [("0", 1, "a"), ("1", 2, "no_text"), ("2", 3, "no_text"), ("3", 4, "no_text"),
          ("4", 5, "no_text"), ("5", 6, "empty_text"), ("6", 7, "invalid_id")]),
        ('["a", "\\ud800", {"text": "b", "id": "\\udc00"}]',
         [("0", 1, "a"), ("1", 2, "invalid_text"), ("2", 3, "invalid_id")]),
        ('["a\\u2028b\\u0000"]', [("0", 1, "a\u2028b\0")]),
    ],
)  # fmt: skip
def test_json(send: Send, store: MemoryStore, text: str, items: list[Any]) -> None:
    assert [short(item) for item in items_of(store, send("a.JSON", text.encode()))] == items


@pytest.mark.parametrize(
    ("data", "code", "details"),
    [
        (b'{"text": ', "invalid_json", {"line": 1, "column": 10}),
        (b'["a",\n "b"\n "c"]', "invalid_json", {"line": 3, "column": 2}),
        (b"[" * 200_000, "invalid_json", {}),
        (b'{"a":' * 100_000, "invalid_json", {}),
        (b'["a", NaN]', "invalid_json", {}),
        (b'["a", ' + b"9" * 5000 + b"]", "invalid_json", {}),
        (b"[]", "empty_input", {}),
        (b" \n", "empty_input", {}),
        (b'{"name": "x"}', "no_text", {}),
        (b"12", "no_text", {}),
        (b"null", "no_text", {}),
        (b'[{"text": ""}, null]', "no_usable_item", {"items": 2, "row": 1, "first": "empty_text"}),
        (b'["caf\xe9"]', "undecodable_text", {"encoding": "utf-8", "byte_offset": 5}),
        (b"PK\x03\x04zip", "binary_input", {}),
    ],
    ids=str,
)
def test_json_that_is_refused(send: Send, data: bytes, code: str, details: Any) -> None:
    refused(send("a.json", data), 422, code, details)


def refused(response: Any, status: int, code: str, details: Any = None) -> None:
    error = error_of(response)
    assert (response.status_code, error["code"], error["class"]) == (status, code, "input")
    assert error["details"].pop("input")["name"]
    if details is not None:
        assert error["details"] == details


def test_jsonl(send: Send, store: MemoryStore) -> None:
    lines = [
        b'{"text": "one\xe2\x80\xa8still one", "id": "a"}\r',
        b"",
        b"  ",
        b'"two"',
        b"not json",
        b'{"text": "caf\xe9"}',
        b"[" * 100_000,
        b'{"n": ' + b"1" * 5000 + b"}",
        b'{"text": "NaN", "x": NaN}',
        b'{"text": "last"}',
    ]
    found = [short(item) for item in items_of(store, send("a.jsonl", b"\n".join(lines)))]
    assert found == [
        ("a", 1, "one\u2028still one"),
        ("1", 4, "two"),
        ("2", 5, "invalid_json"),
        ("3", 6, "undecodable_text"),
        ("4", 7, "invalid_json"),
        ("5", 8, "invalid_json"),
        ("6", 9, "invalid_json"),
        ("7", 10, "last"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    ("name", "text"),
    [("a.json", '["grüße"]'), ("a.jsonl", '"grüße"\n'), ("a.csv", "text\ngrüße\n")],
)
def test_byte_order_marks(
    send: Send, store: MemoryStore, name: str, text: str, encoding: str
) -> None:
    [item] = items_of(store, send(name, text.encode(encoding)))
    assert item["text"] == "grüße"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\n \n", "empty_input"),
        (b"\n{\n", "no_usable_item"),
        (b"\x1f\x8b\x08", "binary_input"),
        ("x".encode("utf-16")[:-1], "undecodable_text"),
    ],
)
def test_jsonl_that_is_refused(send: Send, data: bytes, code: str) -> None:
    refused(send("a.jsonl", data), 422, code)


@pytest.mark.promise("S75")
@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("text\na\nb\n", [("0", 2, "a"), ("1", 3, "b")]),
        ("ID,Text,stars\nx,a,5\n,b,4\n", [("x", 2, "a"), ("1", 3, "b")]),
        ('id;text\n1;"a;b"\n2;c,d\n', [("1", 2, "a;b"), ("2", 3, "c,d")]),
        ("sep=;\r\nid;text\r\n1;a\r\n", [("1", 3, "a")]),
        ("text\tid\na\t1\n", [("1", 2, "a")]),
        ("id|text\n1|a,b\n", [("1", 2, "a,b")]),
        ('text\n"two\nlines"\nnext\n', [("0", 2, "two\nlines"), ("1", 4, "next")]),
        ('text\n"say ""hi"""\n', [("0", 2, 'say "hi"')]),
        ("text\n\n,\na\n", [("0", 4, "a")]),
        ("no header\nsecond", [("0", 1, "no header"), ("1", 2, "second")]),
        ("text\ra\rb", [("0", 2, "a"), ("1", 3, "b")]),
        ("id,text\n1,a,b\n2,c\n3\n4, \n",
         [("0", 2, "wrong_number_of_cells"), ("2", 3, "c"), ("2", 4, "wrong_number_of_cells"),
          ("4", 5, "empty_text")]),
        ("text\n=cmd()|x\n\ufeffa\u2028b\n", [("0", 2, "=cmd()|x"), ("1", 3, "\ufeffa\u2028b")]),
    ],
)  # fmt: skip
def test_csv(send: Send, store: MemoryStore, text: str, items: list[Any]) -> None:
    assert [short(item) for item in items_of(store, send("a.csv", text.encode()))] == items


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b'text\na\n"b\nc\nd\n', "broken_csv", 3),
        (b'text\n"a"b\n', "broken_csv", 2),
        (b"text\na\n" + b"x" * 131_073 + b"\n", "broken_csv", 3),
        (b"a,b\n1,2\n", "no_text_column", 1),
        (b"text,Text\na,b\n", "two_columns_of_a_name", 1),
        (b"\nid;text;ID\n1;b;2\n", "two_columns_of_a_name", 2),
        (b"Great, I loved it\n", "no_text_column", 1),
        (b"one\ntwo, three\n", "no_text_column", 2),
        (b"\n\n , \n", "empty_input", None),
        (b"text\n", "empty_input", None),
        (b"text\n \n", "empty_input", None),
        (b"id,text\n1,\n", "no_usable_item", None),
        (b"text\ncaf\xe9\n", "undecodable_text", None),
        (b"text\na\0b\n", "binary_input", None),
    ],
)
def test_csv_that_is_refused(send: Send, data: bytes, code: str, line: int | None) -> None:
    response = send("a.csv", data)
    refused(response, 422, code)
    assert error_of(response)["details"].get("line") == line


@pytest.mark.promise("S75")
@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        (
            "a.csv",
            b'text\n"a\n',
            "from the row on line 2 on: a quote is opened there and never closed",
        ),
        ("a.csv", b'text\n"a"b\n', "something follows the quote that closes a cell"),
        ("a.csv", b"text\n" + b"x" * 131_073, "a cell has more than 131,072 characters"),
        ("a.json", b'{"id": ' + b"9" * 5000 + b"}", "a number of thousands of digits"),
        ("a.txt", "good".encode("utf-16-le"), "or UTF-16 or UTF-32 without the mark"),
        ("a.txt", b"\0\0\0\x18ftypheic", "is a HEIC, AVIF or MP4 file, not text"),
        ("a.png", b"RIFF\x10\0\0\0WEBPVP8 ", "is a WebP picture, not a PNG or JPEG"),
        ("a.jpg", b"GIF89a", "is a GIF picture, not a PNG or JPEG"),
        ("a.jpg", b"<svg/>", "is of another kind, not a PNG or JPEG"),
        ("a.jpg", b"\xff\xd8\xff", "it is damaged or cut off"),
        ("a.txt ", b"good", 'of type ".txt " are not supported'),
        (".txt", b"good", "objects without a suffix are not supported"),
        ("a.txt", "\u200b \x07\u2060".encode(), "holds no text"),
        ("a.json", b'["\\u200b"]', "the first: the text is blank"),
    ],
    ids=str,
)
def test_a_refusal_says_what_is_wrong(send: Send, name: str, data: bytes, told: str) -> None:
    response = send(name, data)
    assert response.status_code in {415, 422}
    assert told in error_of(response)["message"]


@pytest.mark.parametrize(
    "text",
    ["Convert WEBP to PNG", "The ftyp box comes first", "GIF89 or GIF87?", "See ftyp and WEBP"],
)
def test_a_text_about_file_formats_is_a_text(send: Send, store: MemoryStore, text: str) -> None:
    assert [item["text"] for item in items_of(store, send("a.txt", text.encode()))] == [text]


def test_no_refusal_quotes_the_file(send: Send) -> None:
    for name, data in (
        ("a.json", b'["secret" "secret"]'),
        ("a.jsonl", b'{"secret": 1}'),
        ("a.csv", b'secret,secret\n"secret'),
        ("b.csv", b"secret,words\n"),
    ):
        assert "secret" not in send(name, data).text


def test_another_text_column(store: MemoryStore) -> None:
    settings = read_settings(Environment({"WORK_BUCKET": WORK, "TEXT_COLUMN": "Review"}))
    with client_of(create_app(settings, opener(store), FixedClock())) as client:
        generation = store.put(INPUT, "a.csv", b"text,review\nx,good\n")
        source = {"bucket": INPUT, "name": "a.csv", "generation": generation}
        response = client.post("/preprocess", json={"input": source, "execution_id": "e"})
        assert items_of(store, response)[0]["text"] == "good"


def test_fifty_thousand_rows_are_fifty_chunks_whose_references_fit_a_workflow(
    send: Send, store: MemoryStore
) -> None:
    rows = b"".join(b"row number %d is fine\n" % number for number in range(50_000))
    response = send("a.csv", b"text\n" + rows)
    answer = response.json()
    assert (answer["items"], len(answer["chunks"])) == (50_000, 50)
    assert len(response.content) < 20_000
    ids = [item["id"] for item in items_of(store, response)]
    assert ids == [str(number) for number in range(50_000)]


def test_more_chunks_than_a_workflow_holds_are_refused() -> None:
    part = Chunk(b"x", 1)
    assert bounded([part] * 3, most=3) == [part] * 3
    with pytest.raises(ProblemError, match="more than 3 chunks") as caught:
        bounded([part] * 4, most=3)
    assert caught.value.status == 413


@pytest.mark.parametrize(
    ("variable", "name", "data", "code"),
    [
        ("TEXT_LIMIT_BYTES", "a.json", b'["aaaaaaaaaaaa"]', "input_too_large"),
        ("TABLE_LIMIT_BYTES", "a.jsonl", b'"aaaaaaaaaaaa"', "input_too_large"),
        ("TABLE_LIMIT_BYTES", "a.csv", b"aaaaaaaaaaaaaaa", "input_too_large"),
        ("IMAGE_LIMIT_BYTES", "a.png", b"x" * 20, "input_too_large"),
        ("ROW_LIMIT", "a.csv", b"a\n" * 11, "too_many_items"),
    ],
)
def test_limits_are_settings(
    store: MemoryStore, variable: str, name: str, data: bytes, code: str
) -> None:
    settings = read_settings(Environment({"WORK_BUCKET": WORK, variable: "10"}))
    with client_of(create_app(settings, opener(store), FixedClock())) as client:
        source = {"bucket": INPUT, "name": name, "generation": store.put(INPUT, name, data)}
        response = client.post("/preprocess", json={"input": source, "execution_id": "e"})
        refused(response, 413, code)
        assert error_of(response)["details"]["limit"] == 10


def png(mode: str, color: Any, size: tuple[int, int] = (20, 10), **more: Any) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, color).save(out, "PNG", **more)
    return out.getvalue()


def jpeg(mode: str, color: Any, size: tuple[int, int] = (20, 10), **more: Any) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, color).save(out, "JPEG", **more)
    return out.getvalue()


def turned() -> bytes:
    """20 x 10 pixels that are to be shown as 10 x 20."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return jpeg("RGB", "red", exif=exif)


@pytest.mark.promise("D5")
@pytest.mark.parametrize(
    ("name", "data", "size", "color"),
    [
        ("a.png", png("RGB", (255, 0, 0)), (20, 10), (255, 0, 0)),
        ("a.png", png("RGBA", (255, 0, 0, 0)), (20, 10), (255, 255, 255)),
        ("a.png", png("RGBA", (0, 0, 0, 255)), (20, 10), (0, 0, 0)),
        ("a.png", png("LA", (0, 0)), (20, 10), (255, 255, 255)),
        ("a.png", png("P", 0, transparency=0), (20, 10), (255, 255, 255)),
        ("a.png", png("1", 1), (20, 10), (255, 255, 255)),
        ("a.png", png("I;16", 65535), (20, 10), (255, 255, 255)),
        ("a.png", png("I;16", 256), (20, 10), (1, 1, 1)),
        ("A.JPEG", jpeg("L", 255), (20, 10), (255, 255, 255)),
        ("a.jpg", jpeg("CMYK", (0, 0, 0, 0)), (20, 10), (255, 255, 255)),
        ("a.jpg", turned(), (10, 20), (254, 0, 0)),
        ("a.jpg", jpeg("RGB", "white", (4000, 1000)), (1024, 256), (255, 255, 255)),
        ("a.png", png("L", 255, (3000, 2)), (1024, 1), (255, 255, 255)),
        ("named-wrong.jpg", png("L", 0), (20, 10), (0, 0, 0)),
    ],
)
def test_pictures_are_made_plain(
    send: Send, store: MemoryStore, name: str, data: bytes, size: Any, color: Any
) -> None:
    [item] = items_of(store, send(name, data))
    picture = decode_picture(base64.b64decode(item["image"]))
    assert (picture.mode, picture.size, picture.getpixel((0, 0))) == ("RGB", size, color)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int, depth: int = 1) -> bytes:
    """A PNG of zeros whose pixels would be thousands of times its size; it ends early."""
    row = b"\0" + b"\0" * ((width * depth + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join([packer.compress(row) for _ in range(min(height, 1000))]) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in parts)


def with_text_bomb() -> bytes:
    """A compressed comment that unpacks to 100 MB."""
    whole = png("L", 0)
    packer = zlib.compressobj(9)
    zeros = bytes(1_000_000)
    packed = b"".join([packer.compress(zeros) for _ in range(100)]) + packer.flush()
    comment = png_chunk(b"zTXt", b"Comment\0\0" + packed)
    return whole[:33] + comment + whole[33:]


@pytest.mark.parametrize(
    ("name", "data", "status", "code"),
    [
        ("a.png", lambda: bomb(40_000, 40_000), 413, "too_many_pixels"),
        ("a.png", lambda: bomb(12_032, 12_032, 8), 413, "too_many_pixels"),
        ("a.png", with_text_bomb, 422, "undecodable_image"),
        ("a.png", lambda: b"PK\x03\x04" + bytes(100), 422, "not_an_image"),
        ("a.jpg", lambda: b"GIF89a" + bytes(100), 422, "not_an_image"),
        ("a.jpg", lambda: b"just text", 422, "not_an_image"),
        ("a.png", lambda: png("RGB", "red", (300, 300))[:-400], 422, "undecodable_image"),
        ("a.jpg", lambda: jpeg("RGB", "red", (300, 300))[:400], 422, "undecodable_image"),
        ("a.png", lambda: b"\x89PNG\r\n\x1a\n" + bytes(50), 422, "undecodable_image"),
        ("a.png", lambda: png("L", 0).replace(b"IDAT", b"IDAX"), 422, "undecodable_image"),
        ("a.txt", lambda: png("L", 0), 422, "binary_input"),
    ],
)
def test_hostile_pictures_are_refused(
    send: Send, name: str, data: Callable[[], bytes], status: int, code: str
) -> None:
    content = data()
    assert len(content) < 1_000_000
    refused(send(name, content), status, code)
