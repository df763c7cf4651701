"""Delivery over a real history: once, once more when a day heals, whoever dies or fails in between."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from digest_pipeline.domain.delivery import CLAIM, WAITS
from digest_pipeline.pipeline.alarm import open_alarms
from digest_pipeline.pipeline.deliver import look
from digest_pipeline.pipeline.workbench import as_stored
from digest_pipeline.store.history import Replacement
from digest_pipeline.store.place import Place
from digest_pipeline_tests.fakes.hostile import HOSTILE
from digest_pipeline_tests.fakes.hub import TOKEN, Answer, FakeHub, acts
from digest_pipeline_tests.fakes.listener import Listener
from digest_pipeline_tests.fakes.project import days_from, local, small_repository
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder
from digest_pipeline_tests.fakes.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from digest_pipeline.domain.delivery import Due
    from digest_pipeline.pipeline import Pipeline
    from digest_pipeline.pipeline.deliver import Delivered

ENGINE = "ada/engine"
DAYS = days_from(date(2026, 1, 5), 3)
LAST = DAYS[-1]
NOW = datetime(2026, 1, 8, 2, tzinfo=UTC)
TEAM = {"name": "team", "kind": "apprise", "url_env": "TEAM_URL"}
READER = {"name": "infra", "paths": ["src/part5.py"], "channels": ["mine", "talk"], "language": "zh"}


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    with Listener() as opened:
        monkeypatch.setenv("TEAM_URL", opened.apprise_url("tOken-1"))
        yield opened


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setattr("digest_pipeline.sources.github_api.WRITE_EVERY_SECONDS", 0.0)
    monkeypatch.setattr("digest_pipeline.sources.github_api.FAULT_WAITS_SECONDS", ())
    monkeypatch.setenv("HUB_TOKEN", TOKEN)
    with FakeHub() as running:
        yield running


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a repository and a project whose days are made: done once, and copied for each test."""
    folder = tmp_path_factory.mktemp("made")
    engine = small_repository(folder / "engine")
    shop = Workshop(folder / "project", now=NOW)
    shop.configure(
        local(ENGINE, engine.path),
        readers=[READER],
        channels=[{**TEAM, "name": "mine"}, {**TEAM, "name": "talk"}],
    )
    shop.make(DAYS)
    return folder


@pytest.fixture
def engine(shop: Workshop) -> RepositoryBuilder:
    return RepositoryBuilder(shop.folder.parent / "engine")


@pytest.fixture
def shop(made: Path, tmp_path: Path, fake: FakeHub, listener: Listener) -> Workshop:
    """A project with a channel of each kind for the whole digest, and two for one reader; its days are made."""
    hub = {"repo": fake.repo, "token_env": "HUB_TOKEN", "api_url": fake.api_url}
    channels: list[dict[str, Any]] = [
        TEAM,
        {"name": "files", "kind": "github_file", "path": "news", **hub},
        {"name": "issues", "kind": "github_issue", **hub},
        {"name": "mine", "kind": "github_file", "path": "mine", **hub},
        {**TEAM, "name": "talk"},
    ]
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    shop = Workshop(tmp_path / "project", now=NOW)
    shop.configure(local(ENGINE, tmp_path / "engine"), readers=[READER], channels=channels)
    return shop


@pytest.fixture
def pipeline(shop: Workshop) -> Iterator[Pipeline]:
    """One for all that a test delivers; it reads the clock of `shop`."""
    with shop.pipeline() as opened:
        yield opened


def told(found: list[Delivered]) -> list[tuple[str, str, str]]:
    return [(one.due.target.channel, one.due.made.reader, one.result) for one in found]


def rows(shop: Workshop, columns: str) -> list[tuple[Any, ...]]:
    return shop.rows(f"SELECT {columns} FROM deliveries ORDER BY channel, reader, day")


def heal(shop: Workshop, engine: RepositoryBuilder, title: str = "feat: late (#9)") -> None:
    """The day gets a commit that is the reader's too."""
    engine.clock = datetime(2026, 1, 7, 20, tzinfo=UTC)
    engine.write("src/part5.py", f"late = {title!r}\n")
    engine.commit(title)
    shop.make([LAST])


def test_the_day_goes_to_each_channel_once(
    shop: Workshop, pipeline: Pipeline, fake: FakeHub, listener: Listener
) -> None:
    found = pipeline.deliver()
    assert told(found) == [
        ("team", "", "sent"),
        ("files", "", "sent"),
        ("issues", "", "sent"),
        ("mine", "infra", "sent"),
        ("talk", "infra", "sent"),
    ]
    assert fake.files == {
        f"news/daily/2026/{LAST}.md": shop.daily(LAST).encode(),
        f"mine/readers/infra/2026/{LAST}.md": (
            shop.data / f"reports/readers/infra/2026/{LAST}.md"
        ).read_bytes(),
    }
    assert listener.titles == [f"Daily digest of {LAST}", f"digest：infra 的 {LAST} 每日摘要"]
    assert pipeline.deliver() == []
    assert (len(fake.writes), len(listener.taken)) == (3, 2)


def test_a_message_leads_to_the_day_on_the_site_once_there_is_one(shop: Workshop, listener: Listener) -> None:
    with shop.file.open("a") as file:
        file.write('\n[site]\nurl = "https://digest.example/news/"\n')
    with shop.pipeline() as pipeline:
        pipeline.deliver()
    lines = [taken.json["message"].splitlines()[-1] for taken in listener.taken]
    assert lines == [f"https://digest.example/news/days/{LAST}.html"] * 2


def test_a_healed_day_sends_one_update(
    shop: Workshop, pipeline: Pipeline, engine: RepositoryBuilder, fake: FakeHub, listener: Listener
) -> None:
    pipeline.deliver()
    heal(shop, engine)
    assert {one.result for one in pipeline.deliver()} == {"updated"}
    assert listener.titles[2:] == [
        f"Daily digest of {LAST} (updated)",
        f"digest：infra 的 {LAST} 每日摘要（已更新）",
    ]
    assert (len(fake.issues), len(fake.files)) == (1, 2)
    assert pipeline.deliver() == []


def test_a_page_whose_message_is_the_same_sends_none(
    shop: Workshop, pipeline: Pipeline, engine: RepositoryBuilder, listener: Listener
) -> None:
    pipeline.deliver()
    shop.file.write_text(shop.file.read_text() + "\n[report]\nshow_reasons = false\n")
    shop.make([LAST])
    assert {(one.due.target.kind, one.result) for one in pipeline.deliver()} == {
        ("apprise", "unchanged"),
        ("github_file", "updated"),
        ("github_issue", "updated"),
    }
    assert len(listener.taken) == 2


def test_a_channel_that_fails_leaves_the_others_and_is_tried_again_in_its_time(
    shop: Workshop, pipeline: Pipeline, listener: Listener
) -> None:
    listener.status = 503
    found = pipeline.deliver()
    assert [one.result for one in found] == ["failed", "sent", "sent", "sent", "failed"]
    assert "TEAM_URL, address 1 (JSON) took no message: status 503" in str(found[0].error)
    assert pipeline.deliver() == []
    listener.status = 200
    shop.now += WAITS[0]
    assert told(pipeline.deliver()) == [("team", "", "sent"), ("talk", "infra", "sent")]
    assert set(rows(shop, "status, attempts, error")) == {("delivered", 0, None)}


def test_tries_by_hand_before_its_time_use_up_no_tries(
    shop: Workshop, pipeline: Pipeline, listener: Listener
) -> None:
    listener.status = 503
    columns = "channel, status, attempts, retry_at"
    first = shop.now + WAITS[0]
    for _ in range(3):
        pipeline.deliver([LAST])
        assert ("team", "failed", 1, first) in rows(shop, columns)
        shop.now += timedelta(minutes=1)
    shop.now = first
    pipeline.deliver()
    assert ("team", "failed", 2, first + WAITS[1]) in rows(shop, columns)
    # What a service asks for counts, also where a person was before its time; for a day at most.
    for asked, later in (("7200", timedelta(hours=2)), ("999999999999", timedelta(days=1))):
        shop.now += timedelta(minutes=1)
        listener.headers = {"Retry-After": asked}
        pipeline.deliver([LAST])
        assert ("team", "failed", 2, shop.now + later) in rows(shop, columns)


def test_a_page_that_was_made_anew_after_the_look_is_tried_as_the_one_that_was_sent(
    pipeline: Pipeline, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_before(*given: Any) -> list[Due]:  # noqa: ANN401 - what look takes
        return [replace(one, made=replace(one.made, revision="of before")) for one in look(*given)]

    listener.status = 503
    with monkeypatch.context() as patch:
        patch.setattr("digest_pipeline.pipeline.deliver.look", looked_before)
        assert ("team", "", "failed") in told(pipeline.deliver())
    # At once it would be a second go, and who has it already would get it again.
    assert "team" not in [channel for channel, _, _ in told(pipeline.deliver())]


def test_a_failure_that_stays_is_told_once_and_its_end_too(
    shop: Workshop, pipeline: Pipeline, listener: Listener
) -> None:
    listener.status = 503
    pipeline.deliver()
    shop.now += WAITS[0]
    pipeline.deliver()
    pipeline.watch()
    alarms = open_alarms(Place(shop.data), shop.settings.timezone)
    assert [(one["kind"], one["subject"]) for one in alarms] == [("delivery", "talk"), ("delivery", "team")]
    assert f"{LAST}: TEAM_URL, address 1" in alarms[0]["detail"]
    listener.status = 200
    # By hand at once, whatever its time.
    assert told(pipeline.deliver([LAST])) == [("team", "", "sent"), ("talk", "infra", "sent")]
    pipeline.watch()
    assert open_alarms(Place(shop.data), shop.settings.timezone) == []


def test_an_answer_that_was_lost_makes_no_second_issue(
    shop: Workshop, pipeline: Pipeline, fake: FakeHub
) -> None:
    fake.script.extend([None, None, None, Answer(drops=True)])
    assert [one.result for one in pipeline.deliver()] == ["sent", "sent", "failed", "sent", "sent"]
    shop.now += WAITS[0]
    assert told(pipeline.deliver()) == [("issues", "", "sent")]
    assert len(fake.issues) == 1


def test_a_process_that_died_is_waited_for_and_leaves_no_second_issue(
    shop: Workshop, pipeline: Pipeline, fake: FakeHub
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("digest_pipeline.domain.delivery.Delivery.reached", dies)
        with pytest.raises(KeyboardInterrupt):
            pipeline.deliver()
    assert told(pipeline.deliver())[0] == ("files", "", "sent")
    shop.now += CLAIM
    assert told(pipeline.deliver()) == [("team", "", "sent")]
    assert (len(fake.issues), len(fake.commits)) == (1, 2)


def meanwhile(patch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """`happens` between the look of the next delivery and its first page."""

    def looked(*arguments: Any) -> list[Due]:  # noqa: ANN401 - whatever it is given
        patch.undo()
        found = look(*arguments)
        happens()
        return found

    patch.setattr("digest_pipeline.pipeline.deliver.look", looked)


def test_a_page_that_is_gone_costs_itself_alone_and_leaves_no_claim(
    shop: Workshop, pipeline: Pipeline
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        meanwhile(patch, lambda: pipeline.history.replace(Replacement("digests", {"day": [LAST]})))
        found = pipeline.deliver()
    assert [one.result for one in found] == ["failed", "failed", "failed", "sent", "sent"]
    assert "make the day again" in str(found[0].error)
    shop.make([LAST])
    shop.now += WAITS[0]
    assert told(pipeline.deliver()) == [(name, "", "sent") for name in ("team", "files", "issues")]


def test_what_another_process_brought_meanwhile_is_no_failure_and_what_it_is_at_is_told(
    shop: Workshop, pipeline: Pipeline, listener: Listener
) -> None:
    with shop.pipeline() as other, pytest.MonkeyPatch.context() as patch:
        meanwhile(patch, other.deliver)
        found = pipeline.deliver()
        assert {(one.result, one.error) for one in found} == {("unchanged", None)}
        assert len(listener.taken) == 2

        claim: dict[str, Any] = {"channel": "team", "reader": "", "day": LAST}
        [row] = pipeline.history.read("pipeline/delivery", claim)
        at_it = as_stored(row) | {"revision": None, "claimed_at": shop.now.isoformat()}
        pipeline.history.replace(
            Replacement("deliveries", {name: [value] for name, value in claim.items()}, [at_it])
        )
        assert [(one.result, one.error) for one in pipeline.deliver([LAST])] == [
            ("busy", "another process is at it")
        ]


def test_days_by_hand_go_out_in_their_order_and_one_issue_stays_open(
    shop: Workshop, pipeline: Pipeline, fake: FakeHub
) -> None:
    pipeline.deliver(DAYS)
    assert [issue["state"] for issue in fake.issues.values()] == ["closed", "closed", "open"]
    assert sorted(path for path in fake.files if path.startswith("news/")) == [
        f"news/daily/2026/{day}.md" for day in DAYS
    ]
    assert pipeline.deliver(DAYS) == []


def test_an_old_day_by_hand_does_not_begin_a_channel_there(shop: Workshop, pipeline: Pipeline) -> None:
    shop.now = NOW + timedelta(days=4)
    # The last day came by itself; the first one long after it was news.
    row = {"channel": "team", "reader": "", "language": "en", "status": "delivered", "attempts": 0}
    rows = [
        {**row, "day": LAST, "delivered_at": NOW},
        {**row, "day": DAYS[0] - timedelta(days=30), "delivered_at": NOW},
        # One that came in its time and changed since then.
        {**row, "day": DAYS[1], "first_at": NOW, "delivered_at": NOW + timedelta(days=30)},
    ]
    pipeline.history.replace(Replacement("deliveries", {"channel": ["team"]}, rows))
    due = look(pipeline.history.read, shop.settings, shop.now)
    assert [one.made.day for one in due if one.target.channel == "team"] == DAYS[1:]


def test_a_recent_day_by_hand_does_not_begin_a_channel_there_either(
    shop: Workshop, pipeline: Pipeline
) -> None:
    shop.now = NOW + timedelta(days=4)
    row = {"channel": "team", "reader": "", "language": "en", "status": "delivered", "attempts": 0}
    by_hand = {**row, "day": DAYS[0], "first_at": shop.now, "delivered_at": shop.now}
    pipeline.history.replace(Replacement("deliveries", {"channel": ["team"]}, [by_hand]))
    due = look(pipeline.history.read, shop.settings, shop.now)
    assert [one.made.day for one in due if one.target.channel == "team"] == []


def test_a_variable_that_is_not_set_is_told_by_its_name(
    shop: Workshop, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HUB_TOKEN")
    failed = [one for one in pipeline.deliver() if one.error]
    assert {one.due.target.channel for one in failed} == {"files", "issues", "mine"}
    assert 'channel "files": token_env: the environment variable HUB_TOKEN is not set' in str(failed[0].error)


def test_hostile_commits_mention_nobody_and_touch_nothing(
    shop: Workshop, pipeline: Pipeline, engine: RepositoryBuilder, fake: FakeHub, listener: Listener
) -> None:
    for number, text in enumerate(one.replace("\x00", "") for one in HOSTILE):
        engine.clock = datetime(2026, 1, 7, 20, number, tzinfo=UTC)
        engine.write(f"src/{number}.py", "x = 1\n")
        engine.commit(f"feat!: {' '.join(text.split())}\n\nBREAKING {text}")
    shop.make([LAST])
    pipeline.deliver()
    [issue] = fake.issues.values()
    assert acts(fake.text(issue["number"])) == []
    assert all("@" not in taken.json["message"] + taken.json["title"] for taken in listener.taken)
