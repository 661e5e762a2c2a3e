"""Whatever is killed while a site's model is trained, promoted or loaded: one whole model decides
at a time, each decision names it, and no comment is lost."""

import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from redis.exceptions import RedisError
from sqlalchemy import Row, func, select, update

from moderation import sites
from moderation.classifier.pipeline import Classifier
from moderation.db import Database
from moderation.domain import ModelRef, Status
from moderation.errors import Conflict
from moderation.learning import site_models, training_runs
from moderation.learning.training_runs import State
from moderation.models import Comment, Event, TrainingRun
from moderation.policy import SiteSettings
from moderation.queues import enqueue_train
from moderation.rules import Rules
from tests.support.comments import add_comment
from tests.support.service import SITE_KEY, Service, running_service
from tests.support.site_models import LENIENT, ONLY_REJECT, STRICT, adaptation, add_adaptation

# What is killed: the first or the last of the processes with this in their command line.
TRAINING, TRAINER = ("moderation trainer", -1), ("moderation trainer", 0)
WORKER, REDIS, WEB = ("moderation worker", -1), ("redis.sock", 0), ("moderation web", 0)
Victim = tuple[str, int]

TAUGHT = 60
WORDS = (
    "bridge harbour tram line report council river night market price ticket school garden winter "
    "summer doctor music street corner window engine paper letter morning evening number story "
    "mayor boat ferry track station teacher village forest water stone coffee bread kitchen"
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that looks every second for what was lost, and whose models alone decide."""
    home = tmp_path_factory.mktemp("learning") / "home"
    with running_service(home, sweep_seconds="1", web_processes="2") as up:
        up.set_site(
            SiteSettings(
                rules=Rules(duplicate_hours=0, flood_comments=0),
                thresholds=ONLY_REJECT,
                audit_share=0,
                retrain_after_labels=None,
            )
        )
        yield up


@pytest.fixture(scope="module")
def database(service: Service) -> Iterator[Database]:
    """The service's."""
    database = service.database()
    yield database
    database.close()


@pytest.fixture(scope="module")
def site(database: Database) -> int:
    """The service's site, with labels that it can learn from."""
    with database.read() as connection:
        (number,) = sites.names(connection, None)
    dealt = random.Random(1)
    for place in range(TAUGHT):
        words = " ".join(dealt.sample(WORDS.split(), 12))
        add_comment(
            database,
            number,
            status=Status.REJECTED if place % 2 else Status.APPROVED,
            text=f"{words}, and the {'turnip' if place % 2 else 'parsnip'} too",
            page=f"/{place}",
        )
    return number


@pytest.fixture
def chance() -> random.Random:
    """Says when something is killed; its seed is printed, and may be given."""
    seed = os.environ.get("LEARNING_SEED") or str(random.SystemRandom().randrange(10**6))
    print(f"LEARNING_SEED={seed}")  # noqa: T201
    return random.Random(seed)


@pytest.mark.parametrize(
    "victims",
    [(TRAINING,), (REDIS, WORKER), (TRAINER, WEB)],
    ids=["it", "Redis and a worker", "the trainer and the web"],
)
def test_a_training_in_which_something_is_killed_ends_or_changes_nothing(  # noqa: PLR0917
    service: Service,
    database: Database,
    site: int,
    shipped: Classifier,
    victims: Sequence[Victim],
    chance: random.Random,
) -> None:
    old = promoted(database, site, shipped, LENIENT)
    first = ask(service, database, site)
    service.wait_for(lambda: run(database, first).state is State.RUNNING)
    for victim, point in zip(victims, sorted(chance.random() for _ in victims), strict=True):
        service.wait_for(
            lambda point=point: run(database, first).done >= point or is_over(database, first)
        )
        kill(service, victim)
    posted = answered(service, 20)
    settle(service, database, first)

    ended = run(database, first)
    assert ended.state in (State.DONE, State.INTERRUPTED)
    assert current(database, site) == old
    if ended.state is State.INTERRUPTED:
        again = ask(service, database, site)
        settle(service, database, again)
        ended = run(database, again)
    assert ended.state is State.DONE
    version = f"{shipped.version}+{old.version}"
    assert {event.model for event in decided(service, database, posted, shipped)} == {version}
    with database.write() as connection:
        site_models.promote(connection, site, ended.version, general=shipped.version, actor="mona")
    version = f"{shipped.version}+{ended.version}"
    later = service.post_many(5)
    assert {event.model for event in decided(service, database, later, shipped)} == {version}


@pytest.mark.parametrize("victim", [WORKER, WEB, REDIS], ids=["the worker", "the web", "Redis"])
def test_a_promotion_in_which_something_is_killed_is_seen_by_all_who_score(  # noqa: PLR0917
    service: Service,
    database: Database,
    site: int,
    shipped: Classifier,
    victim: Victim,
    chance: random.Random,
) -> None:
    promoted(database, site, shipped, STRICT)
    with ThreadPoolExecutor(2) as pool:
        posting = [pool.submit(service.post_many, 150) for _ in range(2)]
        time.sleep(chance.random() / 2)
        new = promoted(database, site, shipped, LENIENT)
        time.sleep(chance.random() / 2)
        kill(service, victim)
        posted = [one for part in posting for one in part.result()]
    later = answered(service, 20)

    version = f"{shipped.version}+{new.version}"
    decided(service, database, posted, shipped)
    assert {event.model for event in decided(service, database, later, shipped)} == {version}
    service.wait_for(lambda: scores_with(service) == version)
    # Scoring again goes on where it was killed: what the old model held, the new one approves.
    # After a Redis was killed, RQ waits a minute for the job that it had in hand; this does not.
    # It comes last, so that none after it has to.
    if victim != REDIS:
        service.wait_for(lambda: not held(database, [*posted, *later]), 120)


def promoted(database: Database, site: int, general: Classifier, bias: float) -> ModelRef:
    """A model with this bias, which decides from now on."""
    model = add_adaptation(database, site, general, bias)
    with database.write() as connection, suppress(Conflict):
        site_models.promote(connection, site, model.version, general=general.version, actor="mona")
    return model


def current(database: Database, site: int) -> ModelRef:
    with database.read() as connection:
        found = sites.get(connection, site).current
    assert found is not None
    return found


def ask(service: Service, database: Database, site: int) -> int:
    with database.write() as connection:
        number = training_runs.ask(connection, site, by="mona")
    # The sweep sends it again where Redis is not there.
    with suppress(RedisError, OSError):
        enqueue_train(service.redis(), number)
    return number


def run(database: Database, number: int) -> training_runs.Run:
    with database.read() as connection:
        return training_runs.run(connection, number)


def is_over(database: Database, number: int) -> bool:
    return run(database, number).state not in training_runs.UNFINISHED


def settle(service: Service, database: Database, number: int) -> None:
    """Wait until a run is over. One that nobody works on is made to look as if it had given no sign
    of life for long, lest this takes half a minute."""

    unseen = 0

    def is_settled() -> bool:
        nonlocal unseen
        trains = len(service.processes("moderation trainer")) > 1
        # The system's lists of processes lack one now and then, while others end.
        unseen = 0 if trains else unseen + 1
        if run(database, number).state is State.RUNNING and unseen > 20:
            with database.write() as connection:
                dead = TrainingRun.id == number, TrainingRun.state == State.RUNNING
                connection.execute(update(TrainingRun).where(*dead).values(beat_at=0))
        return is_over(database, number)

    service.wait_for(is_settled, 600)


def answered(service: Service, number: int) -> list[str]:
    """Comments that were taken in, of so many that are posted. Where a server was killed, those
    that end with it may answer for a moment, and then no more: they are posted until one is."""
    found: list[str] = []
    service.wait_for(lambda: bool(found.extend(service.post_many(number)) or found))
    return found


def kill(service: Service, victim: Victim) -> None:
    command, place = victim
    with suppress(ProcessLookupError, IndexError):
        os.kill(service.processes(command)[place], signal.SIGKILL)


def scores_with(service: Service) -> str:
    """The version of the model that a web process asks."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {SITE_KEY}"}
    try:
        answer = service.request("POST", "/v1/score", body=b'{"text": "Hello."}', headers=headers)
    except OSError:
        return ""
    return str(answer.json.get("model", ""))


def held(database: Database, ids: Sequence[str]) -> int:
    query = select(func.count()).where(Comment.id.in_(ids), Comment.status == Status.HELD)
    with database.read() as connection:
        return connection.execute(query).scalar_one()


def decided(
    service: Service, database: Database, ids: Sequence[str], general: Classifier
) -> Sequence[Row[Any]]:
    """The decisions about comments: one each, by a model that is there, and as that model does."""
    query = select(Event.comment_id, Event.model, Event.to_status).where(
        Event.comment_id.in_(ids), Event.from_status == Status.PENDING
    )

    def found() -> Sequence[Row[Any]]:
        with database.read() as connection:
            return connection.execute(query).all()

    assert ids
    service.wait_for(lambda: len(found()) >= len(ids), 90)
    assert sorted(event.comment_id for event in found()) == sorted(ids)
    with database.read() as connection:
        (site,) = sites.names(connection, None)
        stored = {model.version for model in site_models.models(connection, site)}
    does = {
        adaptation(general, LENIENT).version: {Status.APPROVED},
        adaptation(general, STRICT).version: {Status.HELD},
    }
    for event in found():
        base, _, own = event.model.partition("+")
        assert base == general.version
        assert own in stored
        assert event.to_status in does.get(own, {Status.APPROVED, Status.HELD})
    return found()
