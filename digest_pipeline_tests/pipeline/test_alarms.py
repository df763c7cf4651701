"""Alarms over a real history and real HTTP: said once per outage and once when it is over, whoever notices first."""

from __future__ import annotations

import logging
import multiprocessing
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from digest_pipeline.compose import open_pipeline
from digest_pipeline.domain.alarm import RunFailure, Runs
from digest_pipeline.pipeline.alarm import open_alarms
from digest_pipeline.settings import Settings
from digest_pipeline.store.history import History, Replacement
from digest_pipeline.store.place import Place
from digest_pipeline_tests.fakes.listener import Listener
from digest_pipeline_tests.fakes.project import DEAD_URL, Project, days_from, local

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from digest_pipeline_tests.fakes.repositories import RepositoryBuilder
    from digest_pipeline_tests.fakes.workshop import Workshop

ENGINE, DEAD = "ada/engine", "bad/dead"
DAYS = days_from(date(2026, 1, 5), 3)
ALARM = {"urls_env": ["ALARM_URL"]}
HOST = "127.0.0.1:9"
LLM = {"base_url": f"http://{HOST}/v1", "model": "m"}
BEGAN = datetime(2026, 1, 19, 8, tzinfo=UTC)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    with Listener() as opened:
        monkeypatch.setenv("ALARM_URL", opened.apprise_url("tOken-1"))
        yield opened


@pytest.fixture
def shop(workshop: Workshop, engine: RepositoryBuilder) -> Workshop:
    """A project that follows `engine`, and says alarms; its data folder is begun."""
    workshop.configure(local(ENGINE, engine.path), llm=LLM, alarm=ALARM)
    workshop.begin()
    return workshop


def look(shop: Workshop, times: int = 1) -> None:
    """What each run, and each tick of the daemon, does."""
    with shop.pipeline() as pipeline:
        for _ in range(times):
            pipeline.watch()


def write(shop: Project, *replacements: Replacement) -> None:
    with History(Place(shop.data), shop.settings.timezone) as history:
        history.replace(*replacements)


def pages(
    *days: date, analysed: int, commits: int = 20, repo: str = ENGINE, rendered_at: datetime = BEGAN
) -> list[Replacement]:
    """Days that were read, and have a page."""
    return [one for day in days for one in (read(day, repo), page(day, analysed, commits, repo, rendered_at))]


def read(day: date, repo: str = ENGINE) -> Replacement:
    row = {
        "repo": repo,
        "day": day,
        "source": "git",
        "head_sha": "f00",
        "window_start": BEGAN,
        "window_end": BEGAN,
        "timezone": "UTC",
        "read_at": BEGAN,
    }
    return Replacement("reads", {"repo": [repo], "day": [day]}, [row])


def page(day: date, analysed: int, commits: int, repo: str, rendered_at: datetime) -> Replacement:
    row = {
        "repo": repo,
        "day": day,
        "language": "en",
        "path": "p",
        "revision": "r",
        "markdown": "",
        "commits": commits,
        "high": 0,
        "medium": 0,
        "low": commits,
        "analysed": analysed,
        "failed": commits - analysed,
        "deferred": 0,
        "rendered_at": rendered_at,
    }
    return Replacement("reports", {"repo": [repo], "day": [day]}, [row])


def endpoint(*, is_up: bool, since: datetime = BEGAN, error: str | None = "401 Unauthorized") -> Replacement:
    row = {
        "endpoint": HOST,
        "model": "m",
        "is_up": is_up,
        "since": since,
        "error_class": "outage",
        "error": error,
        "learned": "{}",
    }
    return Replacement("endpoints", {"model": ["m"]}, [row])


def rows(shop: Project, *columns: str) -> list[tuple[Any, ...]]:
    return shop.rows(f"SELECT {', '.join(columns)} FROM alarms ORDER BY raised_at, kind, subject")


def test_a_repo_that_cannot_be_read_is_said_once_and_once_when_it_is_read_again(
    shop: Workshop, engine: RepositoryBuilder, listener: Listener
) -> None:
    shop.configure(local(ENGINE, engine.path), {"name": DEAD, "url": DEAD_URL}, alarm=ALARM)
    for days in (DAYS[:1], DAYS):  # the second time more of its days fail
        shop.make(days)
        look(shop, times=2)
    assert listener.titles == ["digest: bad/dead cannot be read"]
    [(subject, detail)] = rows(shop, "subject", "detail")
    assert (subject, detail.startswith("2026-01-05…2026-01-07: ")) == (DEAD, True)
    shop.configure(local(ENGINE, engine.path), local(DEAD, engine.path), alarm=ALARM)
    shop.make(DAYS)
    look(shop, times=2)
    assert listener.titles == ["digest: bad/dead cannot be read", "digest: bad/dead is read again"]
    assert open_alarms(Place(shop.data)) == []
    [row] = shop.rows(
        "SELECT resolved_at > raised_at, told_at > raised_at, over_told_at >= told_at, claimed_at FROM alarms"
    )
    assert row == (True, True, True, None)


def test_an_endpoint_that_is_down_is_said_with_since_when_and_each_outage_again(
    shop: Workshop, listener: Listener
) -> None:
    for number in range(2):
        since = BEGAN + timedelta(hours=number)
        write(shop, endpoint(is_up=False, since=since))
        look(shop, times=2)
        write(shop, endpoint(is_up=True, since=since + timedelta(minutes=30)))
        look(shop, times=2)
    down, up = (
        "digest: m (127.0.0.1:9) does not answer",
        "digest: m (127.0.0.1:9) answers again",
    )
    assert listener.titles == [down, up, down, up]
    first = listener.taken[0].json["message"]
    assert "401 Unauthorized" in first
    assert "Since: 2026-01-19 08:00 (UTC)" in first


@pytest.mark.parametrize("llm", [None, LLM | {"model": "another"}], ids=["without a model", "another model"])
def test_what_the_settings_no_longer_name_is_not_waited_for(
    shop: Workshop, engine: RepositoryBuilder, listener: Listener, llm: dict[str, str] | None
) -> None:
    write(shop, endpoint(is_up=False))
    look(shop)
    shop.configure(local(ENGINE, engine.path), alarm=ALARM, llm=llm)
    look(shop, times=2)
    assert open_alarms(Place(shop.data)) == []
    assert rows(shop, "ending") == [("unused",)]
    assert listener.titles[1:] == ["digest: m (127.0.0.1:9) is no longer in the settings"]


def test_an_outage_is_an_alarm_though_another_endpoint_answers(
    shop: Workshop, engine: RepositoryBuilder, listener: Listener
) -> None:
    shop.configure(
        local(ENGINE, engine.path), alarm=ALARM, llm={"base_url": "http://127.0.0.1:8/v1", "model": "n"}
    )
    with shop.file.open("a", encoding="utf-8") as file:
        file.write(f'\n[[llm.fallback]]\nbase_url = "http://{HOST}/v1"\nmodel = "m"\n')
    write(shop, endpoint(is_up=False))
    look(shop, times=2)
    assert listener.titles == ["digest: m (127.0.0.1:9) does not answer"]


def test_days_without_enough_analyses_are_one_message_for_each_repo(
    shop: Workshop, listener: Listener
) -> None:
    today = shop.now.date()
    short = [today - timedelta(days=back) for back in range(1, 5)]
    long_ago = BEGAN - timedelta(days=20)
    write(shop, *pages(*short, analysed=17), *pages(today - timedelta(days=6), analysed=18))
    # Of what is older than two weeks, or of repos that nobody follows any more, nobody hears.
    write(shop, *pages(today - timedelta(days=15), analysed=0, rendered_at=long_ago))
    write(shop, *pages(today, analysed=0, commits=0), *pages(short[0], analysed=0, repo="gone/repo"))
    look(shop, times=2)
    write(shop, *pages(short[0], analysed=20))
    look(shop)
    assert listener.titles == ["digest: ada/engine has days without enough analyses"]
    assert all(f"{day} 17/20" in listener.taken[0].json["message"] for day in short)
    assert [alarm["detail"].count("17/20") for alarm in open_alarms(Place(shop.data))] == [3]
    write(shop, *pages(*short, analysed=20))
    look(shop, times=2)
    assert listener.titles[1:] == ["digest: ada/engine is analysed again"]


def test_a_past_day_is_said_while_its_page_is_new_and_never_called_analysed_where_it_is_not(
    shop: Workshop, listener: Listener
) -> None:
    past = date(2026, 1, 5)
    shop.now = BEGAN + timedelta(days=90)
    write(shop, *pages(past, analysed=0, rendered_at=shop.now - timedelta(days=1)))
    look(shop, times=2)
    said = ["digest: ada/engine has days without enough analyses"]
    assert listener.titles == said
    shop.now += timedelta(days=14)
    look(shop, times=2)
    assert (open_alarms(Place(shop.data)), listener.titles) == ([], said)
    assert rows(shop, "ending", "over_told_at") == [("aged", None)]


def test_a_day_that_was_read_and_not_analysed_is_said_once_until_it_is_made(
    shop: Workshop, engine: RepositoryBuilder, listener: Listener
) -> None:
    shop.now = datetime(2026, 1, 8, 2, tzinfo=UTC)
    with shop.pipeline() as pipeline:
        for day in DAYS:
            pipeline.collect(ENGINE, [day])
    look(shop)
    assert listener.titles == [], "a run may still be at it"
    shop.now += timedelta(hours=6)
    look(shop, times=2)
    assert listener.titles == ["digest: ada/engine has days without enough analyses"]
    assert open_alarms(Place(shop.data))[0]["detail"] == "2026-01-05 0/2, 2026-01-06 0/2, 2026-01-07 0/2"
    with shop.pipeline() as pipeline:
        pipeline.collect(ENGINE, DAYS)  # the next try, in vain
    look(shop, times=2)
    assert len(listener.titles) == 1
    shop.configure(local(ENGINE, engine.path), alarm=ALARM)
    shop.make(DAYS)
    look(shop, times=2)
    assert listener.titles[1:] == ["digest: ada/engine is analysed again"]


def test_the_day_fourteen_days_back_still_counts(shop: Workshop, listener: Listener) -> None:
    today = shop.now.date()
    write(shop, *pages(today - timedelta(days=14), analysed=0, rendered_at=BEGAN - timedelta(days=20)))
    look(shop)
    assert [alarm["kind"] for alarm in open_alarms(Place(shop.data))] == ["coverage"]


def test_offline_analyses_count_as_analysed(
    shop: Workshop, engine: RepositoryBuilder, listener: Listener
) -> None:
    shop.configure(local(ENGINE, engine.path), alarm=ALARM)
    shop.now = datetime(2026, 1, 8, tzinfo=UTC)
    shop.make(DAYS)
    look(shop)
    assert (listener.taken, rows(shop, "kind")) == ([], [])


def test_a_message_that_was_not_delivered_is_sent_at_the_next_look(
    shop: Workshop, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    write(shop, endpoint(is_up=False))
    listener.status = 503
    look(shop)
    assert "could not be sent" in caplog.text
    assert "status 503" in caplog.text
    assert rows(shop, "claimed_at", "told_at") == [(None, None)]
    assert len(open_alarms(Place(shop.data))) == 1, "status and doctor know of it all the same"
    listener.status = 200
    look(shop, times=2)
    assert len(listener.taken) == 2
    assert rows(shop, "told_at IS NOT NULL") == [(True,)]
    # The same holds for its end.
    write(shop, endpoint(is_up=True))
    listener.status = 503
    look(shop)
    listener.status = 200
    look(shop, times=2)
    assert len(listener.taken) == 4
    assert listener.titles[-1].endswith("answers again")


def test_of_what_is_over_before_anybody_knew_nobody_hears(shop: Workshop, listener: Listener) -> None:
    write(shop, endpoint(is_up=False))
    listener.status = 503
    look(shop)
    write(shop, endpoint(is_up=True))
    listener.status = 200
    look(shop, times=2)
    assert len(listener.taken) == 1


def test_a_process_that_died_while_it_was_sending_is_made_up_for(shop: Workshop, listener: Listener) -> None:
    write(shop, endpoint(is_up=False))
    alarm = {"kind": "endpoint", "subject": "m (127.0.0.1:9)", "detail": "401 Unauthorized"}
    claimed = {**alarm, "raised_at": BEGAN, "claimed_at": shop.now}
    write(shop, Replacement("alarms", {"kind": ["endpoint"]}, [claimed]))
    look(shop)
    assert listener.taken == []
    shop.now += timedelta(minutes=5)
    look(shop, times=2)
    assert len(listener.taken) == 1


def test_where_nobody_is_to_be_told_the_state_is_kept(
    shop: Workshop, engine: RepositoryBuilder, listener: Listener
) -> None:
    shop.configure(local(ENGINE, engine.path), llm=LLM)
    write(shop, endpoint(is_up=False))
    look(shop, times=2)
    assert [alarm["kind"] for alarm in open_alarms(Place(shop.data))] == ["endpoint"]
    assert listener.taken == []
    # Whoever is named while it lasts hears of it.
    shop.configure(local(ENGINE, engine.path), llm=LLM, alarm=ALARM)
    look(shop)
    assert len(listener.taken) == 1


def test_a_variable_that_is_not_set_is_an_error_line(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("ALARM_URL", raising=False)
    write(shop, endpoint(is_up=False))
    look(shop)
    assert "the environment variable ALARM_URL is not set" in caplog.text
    assert len(open_alarms(Place(shop.data))) == 1


def test_a_look_without_anything_new_writes_nothing(shop: Workshop, listener: Listener) -> None:
    write(shop, endpoint(is_up=False))
    look(shop)
    before = shop.snapshot()
    look(shop, times=2)
    assert shop.snapshot() == before


def test_runs_are_left_alone_by_who_does_not_see_them(shop: Workshop, listener: Listener) -> None:
    failure = RunFailure("repo_days", BEGAN, ("the disk is full",))
    asked: list[Collection[str]] = []

    def see(runs: Runs) -> None:
        def see_runs(jobs: Collection[str]) -> Runs:
            asked.append(list(jobs))
            return runs

        with shop.pipeline() as pipeline:
            pipeline.watch(see_runs)

    see(Runs((failure,)))
    look(shop)
    see(Runs())
    assert len(open_alarms(Place(shop.data))) == 1
    see(Runs((), {"repo_days": BEGAN + timedelta(minutes=1)}))
    assert asked == [[], ["repo_days"], ["repo_days"]]
    assert listener.titles == ["digest: a run of repo_days failed", "digest: repo_days runs again"]
    assert "the disk is full" in listener.taken[0].json["message"]


def test_whatever_stands_in_the_way_a_run_goes_on(shop: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    def see_runs(jobs: Collection[str]) -> Runs:
        raise RuntimeError("tOken-1")

    with shop.pipeline() as pipeline:
        pipeline.alarm(see_runs)
    assert "alarms were not looked at: RuntimeError" in caplog.text
    assert "tOken-1" not in caplog.text
    (shop.data / "store/catalog.sqlite").unlink()
    pipeline.alarm()
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 2


def test_hostile_text_arrives_as_text(shop: Workshop, listener: Listener) -> None:
    write(shop, endpoint(is_up=False, error="<!channel> @here\nBcc: x \u202etxt <https://e.example|bank>"))
    look(shop)
    assert "‹!channel› ＠here Bcc: x txt ‹https://e.example|bank›" in listener.taken[0].json["message"]


# --- two at once -----------------------------------------------------------------------------------------


def look_when_told(file: Path, barrier: Any, times: int) -> None:  # noqa: ANN401 - a proxy
    """What another process does: opens the history, waits for the others, and looks."""
    pipeline = open_pipeline(Settings.load(file, environ={}))
    barrier.wait(60)
    for _ in range(times):
        pipeline.watch()
    pipeline.close()


def together(file: Path, count: int) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(count)
    processes = [context.Process(target=look_when_told, args=(file, barrier, 2)) for _ in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * count


def test_processes_that_notice_at_once_say_it_once(shop: Workshop, listener: Listener) -> None:
    listener.delay = 0.5  # so long that each has every chance to send it too
    since = datetime.now(UTC) - timedelta(hours=1)
    write(shop, endpoint(is_up=False, since=since))
    together(shop.file, 2)
    assert [title.split()[-1] for title in listener.titles] == ["answer"]
    write(shop, endpoint(is_up=True))
    together(shop.file, 2)
    assert [title.split()[-1] for title in listener.titles] == ["answer", "again"]
    assert len(rows(shop, "kind")) == 1
