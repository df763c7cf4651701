from __future__ import annotations

import pytest

from digest_pipeline.domain.content import content_of
from digest_pipeline_tests.domain.test_packing import change


@pytest.mark.parametrize(
    ("message", "plain"),
    [
        ("fix: it", "fix: it"),
        ("fix: it (#1234)", "fix: it"),
        ("fix: it (#12) (#34)\n", "fix: it"),
        ("fix: #12 (see #34)", "fix: #12 (see #34)"),
        ("(#12)", ""),
        ("fix: it\n\nWhy.\n\nSigned-off-by: A <a@b>\nco-authored-by: B <b@c>", "fix: it\n\nWhy."),
        ("fix: it\n\nFixes: #3\nReviewed-by: A", "fix: it\n\nFixes: #3"),
        ("fix: it\n\n(cherry picked from commit 0123abc)", "fix: it"),
        ("fix: it\n\nas in (cherry picked from commit 0123abc) before", None),
        ("fix: it\n\nChange-Id: I0123\n\nMore.", "fix: it\n\n\nMore."),
    ],
)
def test_a_message_is_told_without_what_branches_add(message: str, plain: str | None) -> None:
    assert content_of(message, []) == [message if plain is None else plain]


def test_line_numbers_are_taken_out_of_headers_alone() -> None:
    patch = "@@ -1,2 +3,4 @@ def f():\n @@ -1 +1 @@\n+@@ -1 +1 @@\n@@ -9 +9 @@\n-x"

    (_, file) = content_of("", [change("a.py", patch)])
    assert file == ["a.py", "", "modified", "text", "@@ def f():\n @@ -1 +1 @@\n+@@ -1 +1 @@\n@@\n-x"]


def test_the_order_of_files_does_not_count() -> None:
    files = [change("b.py"), change("a.py")]

    assert content_of("", files) == content_of("", files[::-1])
