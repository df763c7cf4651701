"""What is asked of a model, what is kept of it, and what is asked again: over a real endpoint that counts."""

from __future__ import annotations

import itertools
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from digest_pipeline_tests.fakes import openai_server
from digest_pipeline_tests.fakes.openai_server import OpenAIServer, Recorded, Reply
from digest_pipeline_tests.fakes.project import FIRST_DAY, days_from, files_below, local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from digest_pipeline_tests.fakes.repositories import RepositoryBuilder
    from digest_pipeline_tests.fakes.workshop import Workshop

DAYS = days_from(FIRST_DAY, 3)
NAME = "ada/engine"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


def with_model(workshop: Workshop, engine: RepositoryBuilder, server: OpenAIServer, **more: object) -> None:
    llm = {"base_url": server.url, "model": "fake-1", **more}
    workshop.configure(local(NAME, engine.path), llm=llm)


def statuses(workshop: Workshop) -> list[tuple[object, ...]]:
    return workshop.rows("SELECT status, analyst, model, count(*) FROM analyses GROUP BY ALL ORDER BY ALL")


def test_each_commit_is_asked_once_and_never_again(
    workshop: Workshop, engine: RepositoryBuilder, server: OpenAIServer
) -> None:
    with_model(workshop, engine, server)
    workshop.make(DAYS)
    assert statuses(workshop) == [("ok", "openai", "fake-1", 6)]
    assert len(server.analyses) == 6
    pages, content = files_below(workshop.data / "reports"), workshop.table("analyses")
    assert "change_type" in workshop.page(NAME, FIRST_DAY)
    workshop.make(DAYS)
    assert len(server.analyses) == 6
    assert workshop.table("analyses") == content, "not even the time of the analysis changes"
    assert files_below(workshop.data / "reports") == pages


def test_what_was_paid_for_is_kept_whatever_the_settings_say_now(
    workshop: Workshop, engine: RepositoryBuilder, server: OpenAIServer
) -> None:
    with_model(workshop, engine, server)
    workshop.make(DAYS[:1])
    before = workshop.table("analyses")
    workshop.configure(local(NAME, engine.path))
    workshop.make(DAYS[:1])
    assert workshop.table("analyses") == before
    with_model(workshop, engine, server)
    workshop.configure(local(NAME, engine.path), llm={"base_url": server.url, "model": "fake-2"})
    workshop.make(DAYS[:1])
    assert workshop.table("analyses") == before
    assert len(server.analyses) == 2


def test_a_commit_that_is_new_on_a_day_is_asked_alone(
    workshop: Workshop, engine: RepositoryBuilder, server: OpenAIServer
) -> None:
    with_model(workshop, engine, server)
    workshop.make(DAYS)
    engine.commit("fix: late (#9)")
    workshop.make(DAYS)
    assert len(server.analyses) == 7
    assert "fix: late" in server.analyses[-1].user


def test_facts_give_way_to_a_model(
    workshop: Workshop, engine: RepositoryBuilder, server: OpenAIServer
) -> None:
    workshop.make(DAYS[:1])
    assert [row[:2] for row in statuses(workshop)] == [("ok", "offline")]
    assert "Offline" in workshop.page(NAME, FIRST_DAY)
    with_model(workshop, engine, server)
    workshop.make(DAYS[:1])
    assert statuses(workshop) == [("ok", "openai", "fake-1", 2)]
    assert workshop.rows("SELECT DISTINCT attempts FROM analyses") == [(1,)]
    page = workshop.page(NAME, FIRST_DAY)
    assert "Offline" not in page
    assert "`fake-1`" in page


def test_what_failed_is_asked_again_and_what_succeeded_is_not(
    workshop: Workshop, engine: RepositoryBuilder, server: OpenAIServer
) -> None:
    def refuses_one(request: Recorded) -> Reply:
        if "part 2" in request.user:
            return openai_server.completion(None, refusal="I would rather not")
        return openai_server.well_formed(request)

    server.default = refuses_one
    with_model(workshop, engine, server, attempts=1)
    workshop.make(DAYS[:1])
    assert workshop.failed == {}, "a failed analysis is data, no failed day"
    assert statuses(workshop) == [("failed", "openai", "fake-1", 1), ("ok", "openai", "fake-1", 1)]
    [(error_class, attempts, error)] = workshop.rows(
        "SELECT error_class, attempts, error FROM analyses WHERE status = 'failed'"
    )
    assert (error_class, attempts) == ("refused", 1)
    assert error
    page = workshop.page(NAME, FIRST_DAY)
    assert "2 commits seen, 1 analysed, 1 failed" in page
    assert "Analysis failed after 1 attempt:" in page
    assert "1 commit without an analysis" in workshop.daily(FIRST_DAY)

    before = len(server.analyses)
    workshop.make(DAYS[:1])
    assert len(server.analyses) == before + 1
    assert workshop.rows("SELECT attempts FROM analyses WHERE status = 'failed'") == [(2,)]

    server.default = openai_server.well_formed
    workshop.make(DAYS[:1])
    assert len(server.analyses) == before + 2
    assert statuses(workshop) == [("ok", "openai", "fake-1", 2)]
    assert "without an analysis" not in workshop.daily(FIRST_DAY)


def test_an_endpoint_that_is_out_of_order_defers_and_the_next_run_asks_again(
    workshop: Workshop, engine: RepositoryBuilder, server: OpenAIServer
) -> None:
    server.default = lambda _: openai_server.error(401, "Incorrect API key provided")
    with_model(workshop, engine, server, concurrency=1)
    workshop.make(DAYS)
    assert workshop.failed == {}
    assert statuses(workshop) == [("deferred", "openai", "fake-1", 6)]
    assert workshop.rows("SELECT DISTINCT error_class FROM analyses") == [("outage",)]
    # A run asks for each repo anew, and here three days are one run: the key is not tried for every commit.
    assert len(server.analyses) < 6
    assert "2 deferred" in workshop.page(NAME, FIRST_DAY)
    server.default = openai_server.well_formed
    workshop.make(DAYS)
    assert statuses(workshop) == [("ok", "openai", "fake-1", 6)]


def test_a_run_of_the_daemon_asks_whom_the_settings_name_now(
    workshop: Workshop, engine: RepositoryBuilder, server: OpenAIServer
) -> None:
    """What waits for the probe of an endpoint that another one has replaced does not wait any more."""

    def by_itself() -> None:
        with workshop.pipeline(by_hand=False) as pipeline:
            pipeline.analyse(NAME, DAYS[:1])

    with OpenAIServer(lambda _: openai_server.error(402, "Insufficient balance")) as first:
        with_model(workshop, engine, first)
        workshop.make(DAYS[:1])
        asked = len(first.requests)
        by_itself()
        assert len(first.requests) == asked, "its probe is not due yet"
    with_model(workshop, engine, server)
    by_itself()
    assert statuses(workshop) == [("ok", "openai", "fake-1", 2)]


def test_what_nobody_was_asked_about_is_stored_at_once(
    workshop: Workshop, engine: RepositoryBuilder, server: OpenAIServer
) -> None:
    server.default = lambda _: openai_server.error(401, "Incorrect API key provided")
    with_model(workshop, engine, server, concurrency=1)
    with workshop.pipeline() as pipeline:
        pipeline.collect(NAME, DAYS)
        pipeline.diff(NAME, DAYS)
        before = workshop.snapshot()
        pipeline.analyse(NAME, DAYS)
    # The state of the endpoint, the commit that was asked about, and all others together.
    assert workshop.snapshot() - before <= 3
    assert statuses(workshop) == [("deferred", "openai", "fake-1", 6)]


def test_a_run_that_finds_nobody_leaves_what_waits_as_it_is(
    workshop: Workshop, engine: RepositoryBuilder, server: OpenAIServer
) -> None:
    server.default = lambda _: openai_server.error(401, "Incorrect API key provided")
    with_model(workshop, engine, server, concurrency=1)
    workshop.make(DAYS)
    rows, before, asked = workshop.table("analyses"), workshop.snapshot(), len(server.analyses)
    workshop.now += timedelta(minutes=30)
    with workshop.pipeline(by_hand=False) as pipeline:
        assert not pipeline.knock()
    assert len(server.analyses) == asked + 1
    assert workshop.written_since(before) == {"endpoints"}
    assert workshop.table("analyses") == rows
    with workshop.pipeline() as pipeline:
        assert pipeline.knock(), "a person who asks is answered in rows"


def test_an_endpoint_that_goes_down_again_leaves_the_rest_of_the_backlog_as_it_is(
    workshop: Workshop, engine: RepositoryBuilder, server: OpenAIServer
) -> None:
    server.default = lambda _: openai_server.error(401, "Incorrect API key provided")
    with_model(workshop, engine, server, concurrency=1)
    workshop.make(DAYS)
    workshop.now += timedelta(minutes=30)

    def is_back_for_two_questions(request: Recorded) -> Reply:
        if server.requests.index(request) < asked + 2:
            return openai_server.well_formed(request)
        return openai_server.error(401, "Incorrect API key provided")

    asked = len(server.analyses)
    server.default = is_back_for_two_questions
    with workshop.pipeline(by_hand=False) as pipeline:
        pipeline.analyse(NAME, DAYS)
    assert statuses(workshop) == [("deferred", "openai", "fake-1", 5), ("ok", "openai", "fake-1", 1)]
    again = "SELECT count(*) FROM analyses WHERE analysed_at > (SELECT min(analysed_at) FROM analyses)"
    assert workshop.rows(again) == [(2,)], "the one that was answered, and the one that met the outage"


def test_each_answer_is_stored_as_soon_as_it_comes(
    workshop: Workshop, engine: RepositoryBuilder, server: OpenAIServer
) -> None:
    stored, release = threading.Event(), threading.Event()

    def waits(request: Recorded) -> Reply:
        if "part 2" in request.user:
            release.wait(30)
        return openai_server.well_formed(request)

    server.default = waits
    with_model(workshop, engine, server, concurrency=2)
    with workshop.pipeline() as pipeline:
        pipeline.collect(NAME, DAYS[:1])
        pipeline.diff(NAME, DAYS[:1])
        running = threading.Thread(target=pipeline.analyse, args=(NAME, DAYS[:1]))
        running.start()
        try:
            for _ in range(200):
                if workshop.rows("SELECT count(*) FROM answers") == [(1,)]:
                    stored.set()
                    break
                running.join(0.05)
        finally:
            release.set()
            running.join(30)
    assert stored.is_set(), "the first answer was not stored while the second was awaited"
    assert statuses(workshop) == [("ok", "openai", "fake-1", 2)]


def test_retries_in_vain_leave_the_page_as_it_is(
    workshop: Workshop, engine: RepositoryBuilder, server: OpenAIServer
) -> None:
    numbers = itertools.count(1)

    def numbered(status: int, said: str) -> Callable[[Recorded], Reply]:
        return lambda _: openai_server.error(status, said, headers={"x-request-id": f"req_{next(numbers)}"})

    server.default = numbered(401, "Incorrect API key provided")
    with_model(workshop, engine, server)
    workshop.make(DAYS[:1])
    pages, snapshot = files_below(workshop.data / "reports"), workshop.snapshot()
    assert "401 Unauthorized: Incorrect API key provided (127.0.0.1" in workshop.page(NAME, FIRST_DAY)
    assert "req_" not in workshop.page(NAME, FIRST_DAY)
    [before] = workshop.rows("SELECT max(error) FROM analyses")
    assert "request req_" in before[0], "the store keeps it for whoever asks the provider"

    workshop.make(DAYS[:1])
    assert workshop.rows("SELECT max(error) FROM analyses") != [before]
    assert files_below(workshop.data / "reports") == pages
    assert not {"reports", "digests"} & workshop.written_since(snapshot)

    # What becomes of a commit is news, also where it is another failure.
    server.default = numbered(403, "The request was flagged as inappropriate content")
    server.then(openai_server.completion("ok"))  # the probe
    workshop.make(DAYS[:1])
    line = f"> Updated {workshop.now:%Y-%m-%d %H:%M}\n"
    assert line in workshop.page(NAME, FIRST_DAY)
    # A failure of another kind is told, and is none.
    server.default = lambda _: openai_server.completion("no JSON at all")
    workshop.make(DAYS[:1])
    assert workshop.rows("SELECT DISTINCT error_class FROM analyses") == [("bad_output",)]
    for page in (workshop.page(NAME, FIRST_DAY), workshop.daily(FIRST_DAY)):
        assert "flagged as inappropriate" not in page
        assert line in page
    server.default = openai_server.well_formed
    workshop.make(DAYS[:1])
    assert f"> Updated {workshop.now:%Y-%m-%d %H:%M}\n" in workshop.page(NAME, FIRST_DAY)
    assert workshop.now.minute != int(line[-3:])


def test_what_failed_calls_cost_is_told_with_the_next_thing_that_is_new(
    workshop: Workshop, engine: RepositoryBuilder, server: OpenAIServer
) -> None:
    server.default = lambda _: openai_server.completion("no JSON at all", tokens=(100_000, 0, 0))
    with_model(workshop, engine, server, attempts=1)
    with workshop.file.open("a", encoding="utf-8") as file:
        file.write('\n[llm.prices."fake-1"]\ninput = 1.0\noutput = 1.0\n')
    workshop.make(DAYS[:1])
    pages = files_below(workshop.data / "reports")
    assert "cost 0.2" in workshop.page(NAME, FIRST_DAY)
    workshop.make(DAYS[:1])
    assert workshop.rows("SELECT sum(cost), max(attempt) FROM attempts") == [(0.4, 2)]
    assert files_below(workshop.data / "reports") == pages
    # It is put back as it was, too.
    (workshop.data / f"reports/{NAME}/2026/{FIRST_DAY}.md").unlink()
    workshop.make(DAYS[:1])
    assert files_below(workshop.data / "reports") == pages
    server.default = openai_server.well_formed
    workshop.make(DAYS[:1])
    assert "2 analysed, 0 failed" in workshop.page(NAME, FIRST_DAY)
    assert "cost 0.6" in workshop.page(NAME, FIRST_DAY)


def test_scores_follow_the_profile_and_the_analysis_stays(
    workshop: Workshop, engine: RepositoryBuilder, server: OpenAIServer
) -> None:
    with_model(workshop, engine, server)
    workshop.make(DAYS[:1])
    before = workshop.rows("SELECT sha, analysis, analysed_at FROM analyses ORDER BY sha")
    with workshop.file.open("a", encoding="utf-8") as file:
        file.write("\n[importance.thresholds]\nhigh = 1000\nmedium = 999\n")
    workshop.make(DAYS[:1])
    assert workshop.rows("SELECT DISTINCT tier FROM analyses") == [("low",)]
    assert workshop.rows("SELECT sha, analysis, analysed_at FROM analyses ORDER BY sha") == before
    assert len(server.analyses) == 2
