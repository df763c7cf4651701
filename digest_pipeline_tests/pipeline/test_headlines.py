"""The headline that a model composes: asked for once, sent back once, kept, and never believed blindly."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from digest_pipeline_tests.fakes import openai_server
from digest_pipeline_tests.fakes.openai_server import OpenAIServer, Recorded, Reply, completion
from digest_pipeline_tests.fakes.project import FIRST_DAY, days_from, local

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest_pipeline_tests.fakes.repositories import RepositoryBuilder
    from digest_pipeline_tests.fakes.workshop import Workshop

NAME = "ada/engine"
DAYS = days_from(FIRST_DAY, 1)
Headline = Callable[[Recorded], object]
GOOD = "Callers of `old()` now call `new()`."


class Model(OpenAIServer):
    """Analyses well; its headlines are what `headlines` says, one after the other, the last one for ever."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.headlines: list[Headline | Reply] = []

    @property
    def asked(self) -> list[Recorded]:
        return [request for request in self.requests if request.schema_name == "headline"]

    def _answer(self, request: Recorded) -> Reply:
        if request.schema_name != "headline":
            return openai_server.well_formed(request)
        planned = self.headlines.pop(0) if len(self.headlines) > 1 else self.headlines[0]
        return planned if isinstance(planned, Reply) else completion(json.dumps(planned(request)))


def names(request: Recorded) -> list[str]:
    form = request.body["response_format"]["json_schema"]["schema"]
    found: list[str] = form["properties"]["sentences"]["items"]["properties"]["commits"]["items"]["enum"]
    return found


def good(request: Recorded) -> object:
    return {"sentences": [{"text": GOOD, "commits": names(request)[:1]}]}


def invents(request: Recorded) -> object:
    return {
        "sentences": [{"text": "Callers of `old()` now call `new()`, see #4711.", "commits": names(request)}]
    }


def repeats(request: Recorded) -> object:
    return {"sentences": [{"text": GOOD, "commits": names(request)[:1] * 2}]}


def changes_a_number(request: Recorded) -> object:
    return {
        "sentences": [{"text": "Callers of `old()` are 37 % faster with `new()`.", "commits": names(request)}]
    }


def names_a_stranger(_: Recorded) -> object:
    return {"sentences": [{"text": GOOD, "commits": ["0" * 40]}]}


@pytest.fixture
def model() -> Iterator[Model]:
    with Model() as running:
        yield running


def make(workshop: Workshop, engine: RepositoryBuilder, model: Model, **more: object) -> str:
    llm = {"base_url": model.url, "model": "fake-1", **more}
    workshop.configure(local(NAME, engine.path), llm=llm)
    workshop.make(DAYS)
    assert workshop.failed == {}
    return workshop.page(NAME, FIRST_DAY)


def stored(workshop: Workshop) -> list[tuple[object, ...]]:
    return workshop.rows("SELECT status, model, error_class FROM headlines")


def test_it_is_asked_for_once_a_day_and_stands_on_the_page(
    workshop: Workshop, engine: RepositoryBuilder, model: Model
) -> None:
    model.headlines = [good]
    page = make(workshop, engine, model)
    assert stored(workshop) == [("ok", "fake-1", None)]
    assert len(model.asked) == 1
    assert make(workshop, engine, model) == page
    assert len(model.asked) == 1
    assert workshop.rows(
        "SELECT sha, outcome, count(*) FROM attempts WHERE purpose = 'headline' GROUP BY ALL"
    ) == [("", "ok", 1)]


@pytest.mark.parametrize("wrong", [invents, repeats, changes_a_number, names_a_stranger])
def test_what_the_gate_sent_back_is_asked_for_once_more_with_the_reason(
    workshop: Workshop, engine: RepositoryBuilder, model: Model, wrong: Headline
) -> None:
    model.headlines = [wrong, good]
    make(workshop, engine, model)
    assert stored(workshop) == [("ok", "fake-1", None)]
    assert len(model.asked) == 2
    assert "An earlier answer could not be used:" in model.asked[1].user


@pytest.mark.parametrize("wrong", [invents, repeats, changes_a_number, names_a_stranger])
def test_what_never_passes_is_replaced_by_facts_and_not_asked_for_again(
    workshop: Workshop, engine: RepositoryBuilder, model: Model, wrong: Headline
) -> None:
    model.headlines = [wrong]
    page = make(workshop, engine, model)
    assert stored(workshop) == [("failed", "fake-1", "bad_output")]
    assert "4711" not in page
    assert "37" not in page
    make(workshop, engine, model)
    assert len(model.asked) == 2


def test_an_analysis_that_is_new_asks_for_a_new_headline(
    workshop: Workshop, engine: RepositoryBuilder, model: Model
) -> None:
    model.headlines = [good]
    make(workshop, engine, model)
    engine.commit("feat!: late (#9)", committed_at=engine.clock.replace(day=FIRST_DAY.day, hour=20))
    make(workshop, engine, model)
    assert len(model.asked) == 2
    assert stored(workshop) == [("ok", "fake-1", None)]


def test_where_nobody_is_there_it_is_left_for_a_later_run(
    workshop: Workshop, engine: RepositoryBuilder, model: Model
) -> None:
    model.headlines = [openai_server.error(401, "no"), good]
    make(workshop, engine, model)
    assert stored(workshop) == []
    make(workshop, engine, model)
    assert stored(workshop) == [("ok", "fake-1", None)]
