"""`digest sql`: questions to the history, never a change of it."""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from typing import TYPE_CHECKING

import pytest

from digest_pipeline.cli.sql import _write_csv, _write_table, _write_text
from digest_pipeline.store.files import names
from digest_pipeline.store.history import History
from digest_pipeline.store.place import Place
from digest_pipeline_tests.fakes.project import Project, assert_refused, files_below, local

if TYPE_CHECKING:
    from pathlib import Path


# --- formats ---------------------------------------------------------------------------------------------


def test_json_is_a_list_of_objects(made: Project) -> None:
    rows = made.json(
        "sql", "SELECT repo, count(*) AS commits FROM commits GROUP BY repo ORDER BY repo", "--format", "json"
    )
    assert rows == [{"repo": "ada/bits", "commits": 4}, {"repo": "ada/engine", "commits": 6}]


def test_times_carry_the_offset_of_the_configured_timezone(made: Project) -> None:
    rows = made.json(
        "sql",
        "SELECT day, committed_at, authored_at FROM commits WHERE repo = 'ada/engine' ORDER BY committed_at LIMIT 1",
        "--format",
        "json",
    )
    assert rows == [
        {
            "day": "2026-01-05",
            "committed_at": "2026-01-05T17:00:00+08:00",
            "authored_at": "2026-01-05T17:00:00+08:00",
        }
    ]


@pytest.mark.parametrize("output", ["table", "csv"])
def test_every_format_shows_times_in_the_configured_timezone(made: Project, output: str) -> None:
    ran = made.digest("sql", "SELECT min(committed_at) AS first FROM commits", "--format", output)
    assert "2026-01-05T17:00:00+08:00" in ran.out


def test_json_keeps_the_kinds_of_values(made: Project) -> None:
    [row] = made.json(
        "sql",
        """SELECT 1 AS whole, 1.5 AS half, 2::DECIMAL(9, 2) AS money, NULL AS nothing, true AS yes, '中"' AS said,
        [1, NULL] AS list, {'a': {'b': 'c'}} AS struct, MAP {'k': 1} AS map, 'nan'::DOUBLE AS nan,
        '\\xAA\\x01'::BLOB AS bytes, INTERVAL 90 SECOND AS span, TIME '10:00:00' AS at""",
        "--format",
        "json",
    )
    assert row | {"span": "", "at": ""} == {
        "whole": 1,
        "half": 1.5,
        "money": 2,
        "nothing": None,
        "yes": True,
        "said": '中"',
        "list": [1, None],
        "struct": {"a": {"b": "c"}},
        "map": {"k": 1},
        "nan": None,
        "bytes": "aa01",
        "span": "",
        "at": "",
    }
    assert isinstance(row["span"], str)
    assert row["at"] == "10:00:00"


def test_reasons_are_lists_of_objects(made: Project) -> None:
    [row] = made.json("sql", "SELECT reasons FROM analyses ORDER BY score DESC LIMIT 1", "--format", "json")
    assert all(set(reason) == {"rule", "points", "evidence"} for reason in row["reasons"])
    assert row["reasons"]


def test_two_columns_of_one_name_are_two_keys(made: Project) -> None:
    [row] = made.json("sql", "SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS a", "--format", "json")
    assert sorted(row.values()) == [1, 2, 3, 4]


def test_no_rows_are_an_empty_list(made: Project) -> None:
    assert made.json("sql", "SELECT 1 WHERE false", "--format", "json") == []


def test_csv_can_be_read_back(made: Project) -> None:
    ran = made.digest("sql", "SELECT 'a,\"b\"\nc' AS odd, NULL AS nothing, [1, 2] AS list", "--format", "csv")
    assert list(csv.reader(io.StringIO(ran.out))) == [["odd", "nothing", "list"], ['a,"b"\nc', "", "[1, 2]"]]
    assert ran.err == ""


def test_a_table_counts_its_rows_and_takes_brackets_for_what_they_are(made: Project) -> None:
    ran = made.digest("sql", 'SELECT title AS "[red]title" FROM commits WHERE pull_request = 77')
    assert ran.code == 0
    assert "chore: a title with | pipes, [bold] brackets and 中文 (#77)" in ran.out
    assert "[red]title" in ran.out
    assert ran.lines[-1] == "1 row"


def test_what_was_committed_steers_no_terminal(
    made: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "a\x1b[2J\x07b\u202ec"
    ran = made.digest("sql", "SELECT 'a' || chr(27) || '[2J' || chr(7) || 'b' || chr(8238) || 'c' AS title")
    assert "a[2Jbc" in ran.out
    assert "\x1b" not in ran.out
    for write in (_write_csv, _write_text):
        write(["title"], [[hostile]])
        assert hostile in capsys.readouterr().out  # a file, or another program
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for write in (_write_csv, _write_text):
        write(["title"], [[hostile]])
        assert "a[2Jbc" in capsys.readouterr().out


def test_rows_that_a_limit_cut_are_said_to_be(made: Project) -> None:
    asked = ("sql", "--query", "whats_new", "--param", "since=oldest", "--format", "csv")
    cut = made.digest(*asked, "--param", "limit=2")
    assert "as many rows as limit lets through; --param limit=20" in cut.err
    assert len(cut.lines) == 3
    assert made.digest(*asked).err == ""


def test_text_that_looks_like_markup_is_no_error(made: Project) -> None:
    ran = made.digest("sql", "SELECT '[/nothing] [bold' AS \"[/x]\"")
    assert ran.code == 0
    assert "[/nothing] [bold" in ran.out
    assert "[/x]" in ran.out


@pytest.mark.parametrize(
    "query",
    [
        "FROM commits SELECT count(*)",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "VALUES (1)",
        "DESCRIBE commits",
        "SUMMARIZE commit_files",
        "EXPLAIN SELECT 1",
        'EXPLAIN SELECT 1 AS "select"',
        "EXPLAIN ANALYZE SELECT count(*) FROM commits",
        "EXPLAIN (FORMAT json) SELECT 'delete_it(1)'",
        "FROM ducklake_snapshots('history')",
        "SELECT 1;",
        "EXPLAIN(SELECT 1)",
        "EXPLAIN (FORMAT 'json', ANALYZE) SELECT 1",
        "EXPLAIN ANALYSE SELECT 1",
        "EXPLAIN PIVOT commits ON repo IN ('ada/engine') USING count(*) GROUP BY day",
        "SELECT " + "1 + " * 450 + "1",
        "-- why?\nEXPLAIN /* this */ ANALYZE SELECT 1 AS cost$usd",
        'EXPLAIN FROM reads SELECT * EXCLUDE ("day", "error")',
        "SELECT 'ducklake_expire_snapshots(''history'')' AS said -- query(",
        "SELECT 1 /* a comment /* within */ a comment */",
        "SELECT day AS query FROM reads",
        "PIVOT commits ON repo IN ('ada/engine') USING count(*) GROUP BY day",
        "-- a comment; with a semicolon\nSELECT ';' -- and another;",
    ],
)
def test_whatever_reads_is_answered(made: Project, query: str) -> None:
    ran = made.digest("sql", "--", query)
    assert (ran.code, ran.err) == (0, "")


def test_the_tables_are_reached_unqualified(made: Project) -> None:
    tables = ["commits", "commit_files", "analyses", "reports", "digests", "reads", "commit_sizes"]
    counts = ", ".join(f"(SELECT count(*) FROM {table}) AS {table}" for table in tables)
    [row] = made.json("sql", f"SELECT {counts}", "--format", "json")
    assert list(row) == tables
    assert all(row.values())


CONTRACT = {
    "commits": "repo day sha author_name authored_at committed_at message additions deletions",
    "commit_files": "repo day sha path previous_path status additions deletions patch patch_state",
    "analyses": "repo day sha language model tier score reasons status error_class attempts retry_at",
    "reports": "repo day language markdown",
}


@pytest.mark.parametrize("table", CONTRACT)
def test_the_columns_that_others_rely_on_are_there_with_their_types(made: Project, table: str) -> None:
    types = {
        row["column_name"]: row["column_type"]
        for row in made.json("sql", f"DESCRIBE {table}", "--format", "json")
    }
    assert set(CONTRACT[table].split()) <= set(types)
    assert types["day"] == "DATE"
    assert all(kind == "TIMESTAMP WITH TIME ZONE" for name, kind in types.items() if name.endswith("_at"))


# --- reading only ----------------------------------------------------------------------------------------


WRITES = [
    "INSERT INTO reads SELECT * FROM reads",
    "UPDATE reads SET error = 'x'",
    "DELETE FROM commit_log",
    "DROP TABLE reads",
    "ALTER TABLE reads ADD COLUMN x INTEGER",
    "CREATE TABLE mine (x INTEGER)",
    "CREATE TEMP TABLE mine AS SELECT 1",
    "CREATE VIEW mine AS SELECT 1",
    "COPY (SELECT 1) TO 'out.csv'",
    "COPY reads TO 'out.parquet'",
    "EXPORT DATABASE 'out'",
    "ATTACH 'other.db'",
    "DETACH history",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '1MB'",
    "CALL ducklake_expire_snapshots('history', older_than => now())",
    "BEGIN",
    "USE memory",
    "CHECKPOINT",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE reads",
    "",
    "-- nothing",
    "EXPLAIN ANALYZE INSERT INTO reads SELECT * FROM reads",
    "EXPLAIN ANALYZE DELETE FROM reads",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO 'out.csv'",
    "EXPLAIN ANALYZE CREATE TABLE memory.mine AS SELECT 1",
    "SELECT * FROM ducklake_expire_snapshots('history', older_than => now())",
    "SELECT * FROM ducklake_flush_inlined_data('history')",
    "FROM ducklake_cleanup_old_files('history', cleanup_all => true)",
    "FROM history.merge_adjacent_files ()",
    """SELECT * FROM "ducklake_expire_snapshots"('history', older_than => now())""",
    "EXPLAIN (ANALYZE) COPY (SELECT 1) TO 'out.csv'",
    "EXPLAIN ANALYZE /* a */ COPY (SELECT 1) TO 'out.csv'",
    "EXPLAIN ANALYZE --\rCOPY (SELECT 1) TO 'out.csv'",
    "EXPLAIN ANALYZE /* /* */ SELECT 1 -- */ COPY (SELECT 1) TO 'out.csv'",
    "EXPLAIN ANALYZE /* /* */ SELECT 1 -- */ */ COPY (SELECT 1) TO 'out.csv'",
    "SELECT * --\rFROM ducklake_flush_inlined_data('history')",
    "SELECT E'\\'' AS a, * FROM ducklake_flush_inlined_data('history') WHERE '' = ''",
    "SELECT 1 AS x$$, f.* FROM ducklake_expire_snapshots('history') f, (SELECT 2 AS y$$)",
    "CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b') --\r; SELECT 1",
    "EXPLAIN(ANALYZE) COPY (SELECT 1) TO 'out.csv'",
    "EXPLAIN\u200bANALYZE COPY (SELECT 1) TO 'out.csv'",
    "/* /* */ EXPLAIN SELECT 1 -- */ EXPLAIN ANALYZE COPY (SELECT 1) TO 'out.csv'",
    "/* /* */ EXPLAIN SELECT 1 -- */ */ EXPLAIN ANALYZE COPY (SELECT 1) TO 'out.csv'",
    "FROM query('FROM ducklake_cleanup_old_files(''history'', cleanup_all => true)')",
    "EXPLAIN ANALYZE FROM query('FROM ducklake_cleanup_old_files(''history'', cleanup_all => true)')",
    "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT * FROM ducklake_expire_snapshots\u200b('history', older_than => now())",
    "SELECT E'a'\n'\\'' AS a, * FROM ducklake_flush_inlined_data('history') WHERE '' = ''",
    "SELECT 1 AS $é$'$é$, * FROM ducklake_flush_inlined_data('history')",
    "SELECT 1 AS 🐛$$, f.* FROM ducklake_flush_inlined_data('history') f, (SELECT 2 AS y$$)",
    "FROM sqlite_query('__ducklake_metadata_history', 'DELETE FROM ducklake_snapshot')",
    "FROM enable_logging('QueryLog', storage => 'file', storage_path => 'out.log')",
]


def test_a_write_is_refused_and_leaves_nothing(made: Project) -> None:
    def stored() -> object:
        return files_below(made.data / "store" / "files"), made.rows("SELECT * FROM reads ORDER BY ALL")

    before = stored()
    refusal = re.compile(
        r"open for reading only|one query at a time|there is no query|is not SQL|give one query"
    )
    for query in WRITES:
        refused = made.digest("sql", "--", query)
        assert_refused(refused, 2, most_lines=1)
        assert refusal.search(refused.err), (query, refused.err)
    assert stored() == before
    assert not list(made.folder.glob("out*"))
    assert not list(made.folder.glob("other*"))


def test_a_function_that_duckdb_lacks_is_fetched_from_nowhere(made: Project) -> None:
    ran = made.digest("sql", "FROM dbgen(sf => 1)")
    assert_refused(ran, 2, "the query cannot be answered", "tpch", most_lines=1)
    assert "automatically" not in ran.err or "auto-loading is disabled" in ran.err, ran.err


def test_a_query_may_be_as_long_as_it_likes(made: Project) -> None:
    assert_refused(made.digest("sql", "SELECT " + "1 + " * 900 + "1"), 2, "nested too deeply")


def test_a_pivot_that_asks_for_its_values_by_itself_is_one_query(made: Project) -> None:
    pivot = "PIVOT commits ON repo USING count(*) GROUP BY day ORDER BY day"
    rows = made.json("sql", pivot, "--format", "json")
    assert [row["ada/engine"] for row in rows] == [2, 2, 2]
    assert made.json("sql", f"FROM ({pivot}) LIMIT 1", "--format", "json") == rows[:1]
    assert_refused(made.digest("sql", f"EXPLAIN {pivot}"), 2, "ON … IN (…)", most_lines=1)
    flush = "FROM query('FROM ducklake_flush_inlined_data(''history'')')"
    assert_refused(made.digest("sql", f"PIVOT ({flush}) ON a USING count(*)"), 2, "ON … IN (…)", most_lines=1)
    assert made.digest("sql", f"{pivot} -- by commit").code == 0
    assert made.json("sql", "--format", "json", "--", f"-- by day\n{pivot};\n") == rows
    for refused in (
        f"CREATE TABLE other AS {pivot}",
        f"COPY ({pivot}) TO 'out.csv'",
        f"COPY ({pivot}) TO 'out.csv'; {pivot}",
        f"INSERT INTO reads {pivot}",
        f"{pivot}; {pivot}",
        f";{pivot}; {pivot}",
        f"{pivot}; SELECT 1",
        f"{pivot}; DROP TABLE reads",
    ):
        assert_refused(made.digest("sql", refused), 2, most_lines=1)
    assert not list(made.folder.glob("out*"))


def test_a_query_may_come_by_stdin(made: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def given(text: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text), encoding="latin-1"))

    given(b"-- how many?\nSELECT count(*) AS days FROM reads;\n")
    assert made.json("sql", "-", "--format", "json") == [{"days": 6}]
    given(b"  -- nothing but this")
    assert_refused(made.digest("sql", "-"), 2, "there is no query")
    given(b"SELECT '\xff'")
    assert_refused(made.digest("sql", "-"), 2, "stdin is not UTF-8")
    given("\ufeffSELECT '中' AS one".encode())
    assert made.json("sql", "-", "--format", "json") == [{"one": "中"}]
    monkeypatch.setattr("sys.stdin", None)
    assert_refused(made.digest("sql", "-"), 2, "no stdin")


def test_a_named_question_waits_for_no_stdin(made: Project) -> None:
    # What a test reads from stdin raises.
    assert_refused(made.digest("sql", "-", "--query", "search"), 2, "one query")


def test_a_parameter_is_given_once(made: Project) -> None:
    twice = ("--param", "words=a", "--param", "words=b")
    assert_refused(made.digest("sql", "--query", "search", *twice), 2, "words", "given twice")


@pytest.mark.parametrize(
    "query", ["SELEC 1", "SELECT FROM", "SELECT nope FROM commits", "SELECT * FROM nowhere", "SELECT 1/'x'"]
)
def test_wrong_sql_is_wrong_use(made: Project, query: str) -> None:
    assert_refused(made.digest("sql", query), 2, "the query", most_lines=1)


def test_a_file_that_is_not_there_is_the_querys_mistake_and_no_damage(made: Project) -> None:
    ran = made.digest("sql", "SELECT * FROM 'nowhere.parquet'")
    assert ran.code == 2, ran.said
    assert "damaged" not in ran.err


# --- named questions -------------------------------------------------------------------------------------


def test_list_names_every_question_and_what_it_asks(made: Project) -> None:
    ran = made.digest("sql", "--list")
    assert (ran.code, ran.err) == (0, "")
    assert [line.split()[0] for line in ran.lines] == names("queries")
    assert all("?" in line for line in ran.lines)


def test_list_needs_no_settings(project: Project) -> None:
    assert project.digest("sql", "--list").code == 0


def test_one_question_is_told_with_all_its_parameters(made: Project) -> None:
    ran = made.digest("sql", "--list", "--query", "whats_new")
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines[0].endswith("?")
    assert [line.split()[0] for line in ran.lines[1:]] == ["since", "repo", "tier", "limit"]
    assert "needed" in ran.lines[1]
    assert "default low" in ran.lines[3]


def test_what_is_not_given_has_its_default_and_days_count_from_the_newest(made: Project) -> None:
    by_default = made.json("sql", "--query", "tiers_by_day", "--format", "json")
    assert [row["day"] for row in by_default] == sorted(["2026-01-05", "2026-01-06", "2026-01-07"] * 2)
    given = ["--param", "first=2d", "--param", "repo=%/engine", "--format", "json"]
    some = made.json("sql", "--query", "tiers_by_day", *given)
    assert [(row["day"], row["repo"]) for row in some] == [
        ("2026-01-06", "ada/engine"),
        ("2026-01-07", "ada/engine"),
    ]


def test_a_history_that_an_older_version_made_is_said_to_be_so(project: Project) -> None:
    project.configure(local("ada/engine", project.folder))
    project.begin()
    with History(Place(project.data), project.settings.timezone) as history:
        history._connection.execute("DROP VIEW current_analyses")
        history._connection.execute("DELETE FROM schema_migrations WHERE name LIKE 'views-%'")
    ran = project.digest("sql", "--query", "coverage")
    assert_refused(ran, 1, "is of an older version", "`digest run`", most_lines=1)
    assert project.digest("sql", "SELECT count(*) FROM reads").code == 0, "what is there can be asked for"
    assert_refused(project.digest("status"), 1, "is of an older version", "`digest run`", most_lines=1)


def test_text_is_written_as_it_is(made: Project) -> None:
    ran = made.digest("sql", "--query", "report", "--param", "day=2026-01-06", "--format", "text")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == made.daily(date(2026, 1, 6)) + "\n"


def test_a_parameter_is_bound_and_never_part_of_the_sql(made: Project) -> None:
    rows = made.json("sql", "SELECT $word AS said", "--param", "word='; DROP TABLE reads; --=x", "-f", "json")
    assert rows == [{"said": "'; DROP TABLE reads; --=x"}]


def test_a_pull_request_is_found_by_its_number(made: Project) -> None:
    [row] = made.json("sql", "--query", "pull_request", "--param", "number=77", "--format", "json")
    assert row["repo"] == "ada/bits"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--query", "pull_request"], ["number"]),
        (["--query", "pull_request", "--param", "number=1", "--param", "other=2"], ["other", "number"]),
        (["--query", "pull_request", "--param", "number"], ["name=value"]),
        (["--query", "coverage", "--param", "x=1"], ["x", "none"]),
        (["--query", "pull_request", "--param", "number=many"], ["many", "a whole number"]),
        (["--query", "pull_request", "--param", "number=0"], ["1 to 2,147,483,647"]),
        (["--query", "pull_request", "--param", "number=99999999999"], ["1 to 2,147,483,647"]),
        (["--query", "who_changed"], ["--param path=…: a file", "since=200k"]),
        (["--query", "whats_new", "--param", "since=yesterday"], ["yesterday", "2026-02-21", "hash"]),
        (["--query", "whats_new", "--param", "since=ffffffff"], ["ffffffff", "no commit"]),
        (
            ["--query", "whats_new", "--param", "since=1d", "--param", "tier=top"],
            ["top", "high, medium or low"],
        ),
        (["--query", "search", "--param", "words=a b c d e f g"], ["one to 6 words"]),
        (["--query", "search", "--param", "words= "], ["one to 6 words"]),
        (["--query", "tiers_by_day", "--param", "first=soon", "--param", "last=later"], ["soon"]),
        (["--query", "nope"], ["nope", "coverage"]),
        (["--query", "../upkeep"], ["upkeep"]),
        (["--query", "coverage", "SELECT 1"], ["--query"]),
        ([], ["--query", "--list"]),
        (["SELECT $x"], ["x"]),
    ],
)
def test_wrong_parameters_are_wrong_use(made: Project, arguments: list[str], words: list[str]) -> None:
    assert_refused(made.digest("sql", *arguments), 2, *words, most_lines=1)


def test_a_dollar_in_a_text_or_comment_is_no_parameter(made: Project) -> None:
    query = """SELECT 'it''s $5' AS "$a", $$ $d $$ AS e, $t$ $f $t$ AS g /* $b */ -- $c"""
    rows = made.json("sql", query, "--format", "json")
    assert rows == [{"$a": "it's $5", "e": " $d ", "g": " $f "}]


# --- a history that is not there, or damaged -------------------------------------------------------------


def test_before_the_first_run_there_is_nothing_to_ask(project: Project, engine: Path) -> None:
    project.configure(local("ada/engine", engine))
    assert_refused(project.digest("sql", "SELECT 1"), 1, "digest run", most_lines=1)
    assert not project.data.exists()


def test_rows_too_wide_for_a_terminal_stand_one_value_below_the_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    columns = [f"column_{number}" for number in range(9)]
    _write_table(columns, [[f"value {number}" for number in range(9)]] * 2)
    out = capsys.readouterr().out
    assert "2 of 2" in out
    assert re.search(r"column_8\b.* value 8", out)
    _write_table(columns[:3], [["a", "b", "c"]])
    assert "1 of 1" not in capsys.readouterr().out
