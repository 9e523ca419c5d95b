import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpupipe.localcloud.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "state.db")
    made.define("CREATE TABLE IF NOT EXISTS t (value TEXT)")
    yield made
    made.close()


def values(database: Database) -> list[str]:
    return [value for (value,) in database.read().execute("SELECT value FROM t ORDER BY rowid")]


def insert(database: Database, value: str) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (?)", (value,))


def test_an_inner_transaction_is_part_of_the_outer(database: Database) -> None:
    with pytest.raises(RuntimeError), database.transaction():  # noqa: PT012
        insert(database, "inner")
        raise RuntimeError
    assert values(database) == []


def test_hooks_run_after_the_outermost_commit_in_order(database: Database) -> None:
    ran: list[str] = []
    with database.transaction():
        with database.transaction():
            database.after_commit(lambda: ran.append("first"))
        database.after_commit(lambda: ran.append("second"))
        assert ran == []
    assert ran == ["first", "second"]
    database.after_commit(lambda: ran.append("at once"))
    assert ran[-1] == "at once"


def test_a_rollback_drops_the_hooks(database: Database) -> None:
    ran: list[str] = []
    with pytest.raises(RuntimeError), database.transaction():  # noqa: PT012
        database.after_commit(lambda: ran.append("never"))
        raise RuntimeError
    insert(database, "later")
    assert ran == []


def test_a_commit_that_fails_leaves_no_transaction_open(database: Database) -> None:
    database.define(
        "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
        "CREATE TABLE children (parent INTEGER REFERENCES parents)",
    )
    with pytest.raises(sqlite3.IntegrityError), database.transaction() as connection:  # noqa: PT012
        connection.execute("PRAGMA defer_foreign_keys=ON")  # so that only the commit notices
        connection.execute("INSERT INTO children VALUES (7)")
    assert not database.read().in_transaction
    assert database.read().execute("SELECT count(*) FROM children").fetchone()[0] == 0


def test_a_hook_may_write(database: Database) -> None:
    with database.transaction():
        database.after_commit(lambda: insert(database, "from the hook"))
    assert values(database) == ["from the hook"]


def test_threads_write_one_after_the_other_and_none_is_lost(database: Database) -> None:
    threads = [
        threading.Thread(target=insert, args=(database, str(number))) for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(values(database), key=int) == [str(number) for number in range(20)]


def test_a_reader_does_not_see_what_is_not_committed(database: Database) -> None:
    seen: list[list[str]] = []
    with database.transaction() as connection:
        connection.execute("INSERT INTO t VALUES ('x')")
        other = threading.Thread(target=lambda: seen.append(values(database)))
        other.start()
        other.join()
        assert values(database) == ["x"]
    assert seen == [[]]


def test_connections_of_ended_threads_are_closed(database: Database) -> None:
    for number in range(5):
        thread = threading.Thread(target=insert, args=(database, str(number)))
        thread.start()
        thread.join()
    assert len(database._connections) <= 2


def test_a_close_leaves_a_statement_of_another_thread_to_its_end(database: Database) -> None:
    begun, go_on = threading.Event(), threading.Event()
    rows: list[int] = []

    def count() -> None:
        many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 100000) SELECT i FROM n"
        cursor = database.read().execute(many)
        rows.append(cursor.fetchone()[0])
        begun.set()
        go_on.wait()
        rows.extend(i for (i,) in cursor)

    thread = threading.Thread(target=count)
    thread.start()
    begun.wait()
    database.close()
    go_on.set()
    thread.join()
    assert len(rows) == 100_000
    with pytest.raises(sqlite3.ProgrammingError):
        database.read()


def test_the_file_is_private(database: Database, tmp_path: Path) -> None:
    insert(database, "x")
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


def test_clear_empties_every_table_but_those_to_keep(database: Database) -> None:
    database.define(
        "CREATE TABLE parent (id TEXT PRIMARY KEY)",
        "CREATE TABLE child (parent TEXT REFERENCES parent)",
        "CREATE TABLE kept (id TEXT)",
    )
    with database.transaction() as connection:
        connection.execute("INSERT INTO parent VALUES ('p')")
        connection.execute("INSERT INTO child VALUES ('p')")
        connection.execute("INSERT INTO kept VALUES ('k')")
    database.clear(keep=frozenset({"kept"}))
    counts = [
        database.read().execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
        for table in ("parent", "child", "kept")
    ]
    assert counts == [0, 0, 1]


def test_what_was_committed_is_there_for_another_process(
    database: Database, tmp_path: Path
) -> None:
    insert(database, "x")
    other = sqlite3.connect(tmp_path / "state.db")
    assert other.execute("SELECT value FROM t").fetchall() == [("x",)]
    other.close()
