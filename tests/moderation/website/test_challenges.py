import base64
import json
from typing import Any

import pytest
from altcha import Challenge as Altcha
from altcha import Payload, solve_challenge
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from redis import Redis

from moderation.domain import Trap
from moderation.queues import connect
from moderation.website import challenges
from moderation.website.challenges import LASTS, WAIT, Challenge, Challenges
from tests.support.clock import Clock

SITE = 7


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(challenges, "now_ms", clock)
    return clock


@pytest.fixture
def makes(redis: Redis) -> Challenges:
    return Challenges("a secret of the service", redis)


@pytest.fixture(autouse=True)
def little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(challenges, "_COST", 1)


def solved(challenge: Challenge) -> str:
    """ALTCHA's payload as its own library for clients makes it."""
    assert challenge.altcha is not None
    altcha = Altcha.from_dict(challenge.altcha)
    solution = solve_challenge(altcha)
    assert solution is not None
    return Payload(altcha, solution).to_base64()


def changed(payload: str, part: str, name: str, value: Any) -> str:
    fields = json.loads(base64.b64decode(payload))
    place = fields["challenge"]["parameters"] if part == "parameters" else fields[part]
    place[name] = value
    return base64.b64encode(json.dumps(fields).encode()).decode()


def sent(makes: Challenges, token: str, altcha: str = "", honeypot: str = "") -> Trap | None:
    return makes.trap(SITE, token=token, altcha=altcha, honeypot=honeypot)


def test_who_waits_and_works_falls_into_no_trap(makes: Challenges, clock: Clock) -> None:
    challenge = makes.make(SITE, proof_of_work=True)
    clock.ahead += WAIT
    assert sent(makes, challenge.token, solved(challenge)) is None


def test_a_form_comes_back_neither_too_soon_nor_too_late(makes: Challenges, clock: Clock) -> None:
    soon, late, just = (makes.make(SITE, proof_of_work=False).token for _ in range(3))
    clock.ahead += WAIT - 500
    assert sent(makes, soon) is Trap.TOO_FAST
    clock.ahead = LASTS - 1000
    assert sent(makes, just) is Trap.NO_PROOF
    clock.ahead = LASTS + 1000
    assert sent(makes, late) is Trap.BAD_FORM


def test_a_token_is_good_once_and_for_one_site(makes: Challenges, clock: Clock) -> None:
    first, elsewhere = (makes.make(site, proof_of_work=True) for site in (SITE, SITE + 1))
    clock.ahead += WAIT
    assert sent(makes, elsewhere.token, solved(elsewhere)) is Trap.BAD_FORM
    assert sent(makes, first.token, solved(first)) is None
    assert sent(makes, first.token, solved(first)) is Trap.BAD_FORM


def test_a_token_cannot_be_forged(makes: Challenges, redis: Redis, clock: Clock) -> None:
    token = makes.make(SITE, proof_of_work=False).token
    other = Challenges("another secret", redis).make(SITE, proof_of_work=False).token
    clock.ahead += WAIT
    payload, _, signature = token.rpartition(".")
    forged = base64.urlsafe_b64encode(b'[7,0,"x"]').decode().rstrip("=")
    for wrong in (other, f"{forged}.{signature}", f"{payload}.", payload, "x", "é", "\0", "." * 99):
        assert sent(makes, wrong) is Trap.BAD_FORM
    assert sent(makes, "") is Trap.NO_FORM


def test_work_cannot_be_left_out_shared_or_made_lighter(makes: Challenges, clock: Clock) -> None:
    mine, other = (makes.make(SITE, proof_of_work=True) for _ in range(2))
    good, others = solved(mine), solved(other)
    clock.ahead += WAIT
    for wrong in (
        "",
        others,
        changed(good, "solution", "counter", 2**32 - 1),
        changed(good, "solution", "counter", "1"),
        changed(good, "solution", "counter", -1),
        changed(good, "solution", "derivedKey", "00" * 32),
        changed(good, "parameters", "keyPrefix", ""),
        changed(good, "parameters", "cost", 0),
        changed(good, "parameters", "expiresAt", 2**40),
        changed(good, "challenge", "signature", "0" * 64),
        good + "A" * 5_000,
    ):
        token = makes._signer.dumps([SITE, challenges.now_ms() - WAIT, mine.token[:4] + wrong])
        assert sent(makes, str(token), wrong) is Trap.NO_PROOF


def test_work_ends_with_its_form(
    makes: Challenges, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.ahead = -LASTS - 2_000
    challenge = makes.make(SITE, proof_of_work=True)
    assert not makes._has_worked(solved(challenge), "")
    clock.ahead = 0
    assert sent(makes, challenge.token, solved(challenge)) is Trap.BAD_FORM


def test_a_field_that_people_do_not_see_is_a_trap(makes: Challenges, clock: Clock) -> None:
    challenge = makes.make(SITE, proof_of_work=True)
    clock.ahead += WAIT
    assert sent(makes, challenge.token, solved(challenge), "Cheap pills") is Trap.HONEYPOT


def test_without_redis_nothing_passes_for_new(clock: Clock) -> None:
    makes = Challenges("secret", connect("redis://127.0.0.1:1/0", timeout=0.1))
    token = makes.make(SITE, proof_of_work=False).token
    clock.ahead += WAIT
    assert sent(makes, token) is Trap.BAD_FORM


@given(st.text() | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(json.dumps))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_whatever_comes_as_proof_is_taken(makes: Challenges, junk: str) -> None:
    for altcha in (junk, base64.b64encode(junk.encode("utf-8", "replace")).decode()):
        assert not makes._has_worked(altcha, "nonce")
