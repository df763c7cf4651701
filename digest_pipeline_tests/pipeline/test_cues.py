"""The facts that the analyst without a model finds in patches: what hints at a break, and what only looks like it."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from digest_pipeline.store.files import statement

DAY = date(2026, 2, 21)


def cues(*files: tuple[str, str], status: str = "modified") -> list[tuple[str, str, str]]:
    """(category, path, line) of one commit with these paths and patch lines."""
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE commit_files (repo VARCHAR, day DATE, sha VARCHAR, position INTEGER, path VARCHAR,"
            " status VARCHAR, patch VARCHAR, patch_state VARCHAR)"
        )
        connection.executemany(
            "INSERT INTO commit_files VALUES ('a/b', ?, 'f00', ?, ?, ?, ?, 'text')",
            [
                (DAY, number, path, status, "@@ -1,9 +1,9 @@\n" + lines)
                for number, (path, lines) in enumerate(files)
            ],
        )
        rows = connection.execute(
            statement("pipeline/cues"), {"repo": "a/b", "first": DAY, "last": DAY}
        ).fetchall()
    return [(category, path, line) for _, category, path, line in rows]


@pytest.mark.parametrize(
    ("path", "removed", "name"),
    [
        ("src/lib.rs", "pub fn open(path: &Path)", "open"),
        ("src/lib.rs", "pub async fn open()", "open"),
        ("src/lib.rs", "pub struct Router {", "Router"),
        ("engine/api.py", "def connect():", "connect"),
        ("engine/api.py", "class Engine:", "Engine"),
        ("pkg/api.go", "func Serve() {", "Serve"),
        ("pkg/api.go", "func (s *Server) Serve() {", "Serve"),
        ("web/api.ts", "export function load() {", "load"),
    ],
)
def test_a_public_name_that_is_gone_is_named(path: str, removed: str, name: str) -> None:
    assert cues((path, f"-{removed}\n+other")) == [("removed", path, name)]


@pytest.mark.parametrize(
    ("path", "removed"),
    [
        ("src/lib.rs", "pub(crate) fn open()"),
        ("src/lib.rs", "fn open()"),
        ("engine/api.py", "def _connect():"),
        ("engine/api.py", "    def connect(self):"),
        ("pkg/api.go", "func serve() {"),
        ("web/api.ts", "function load() {"),
        ("scripts/release.py", "def tag():"),
        ("tests/test_api.py", "def test_tag():"),
    ],
)
def test_a_name_that_nobody_outside_can_use_is_not(path: str, removed: str) -> None:
    assert cues((path, f"-{removed}\n+other")) == []


def test_a_name_that_moved_to_another_file_is_not_gone() -> None:
    assert cues(("a.py", "-def connect():"), ("b.py", "+def connect():")) == []


def test_of_a_removed_file_the_names_are_not_listed_again() -> None:
    assert cues(("engine/api.py", "-def connect():\n-    pass"), status="removed") == []


def test_a_test_inside_a_file_of_code_counts_as_a_test() -> None:
    assert cues(("src/lib.rs", "+    #[tokio::test]\n+    async fn opens() {")) == [
        ("test", "src/lib.rs", "+    #[tokio::test]")
    ]


def test_only_what_comes_in_is_a_word_on_security() -> None:
    assert cues(("a.py", "-requests.get(url, verify=False)\n+requests.get(url)")) == []
    assert cues(("docs/a.md", "+never use verify=False")) == []
    assert cues(("a.py", "+requests.get(url, verify=False)")) == [
        ("security", "a.py", "+requests.get(url, verify=False)")
    ]


def test_an_attribute_that_silences_a_warning_deprecates_nothing() -> None:
    assert cues(("src/lib.rs", "+#[allow(deprecated)]")) == []
    assert cues(("src/lib.rs", '+#[deprecated(note = "use open")]')) == [
        ("breaking", "src/lib.rs", '+#[deprecated(note = "use open")]')
    ]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("pkg/api.go", "\t//nolint:staticcheck // SA1019: checking a deprecated field on purpose"),
        ("engine/api.py", '    warnings.filterwarnings("ignore", category=DeprecationWarning)'),
        ("engine/api.py", "    # vLLM deprecation warnings at its start"),
        ("engine/api.py", "    # A third-party deprecation must not decide"),
        ("src/lib.rs", "    // ALLOW: function_call is deprecated"),
        ("engine/tests/test_api.py", "    with pytest.warns(DeprecationWarning):"),
        ("pkg/api_test.go", '\tname: "deprecated mode is valid",'),
        ("docs/site/Panel.tsx", '  badge: "Deprecated",'),
    ],
)
def test_who_speaks_of_a_deprecation_deprecates_nothing(path: str, line: str) -> None:
    assert cues((path, f"+{line}")) == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("pkg/api.go", "\t// Deprecated: Identity is ignored by automatic checkpoints."),
        ("engine/args.py", '    "--enforce-disagg is deprecated and ignored; "'),
        ("engine/args.py", '    warnings.warn("use open()", DeprecationWarning, stacklevel=2)'),
        ("engine/args.py", '    raise ValueError("--advisory is no longer supported")  # noqa: TRY003'),
        ("pkg/api.go", "// FilterPods is deprecated: use SelectPods"),
        ("engine/args.py", '    "--upstream is deprecated; use --backend"'),
    ],
)
def test_who_deprecates_is_heard(path: str, line: str) -> None:
    assert cues((path, f"+{line}")) == [("breaking", path, f"+{line}")]


def test_what_a_generator_wrote_has_no_public_names() -> None:
    for path in ("api/zz_generated.deepcopy.go", "api/engine.pb.go", "api/engine_pb2.py"):
        assert cues((path, "-func (in *Engine) DeepCopy() {\n-class Engine:")) == []
