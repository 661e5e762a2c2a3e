"""A comment's whole way over HTTP: posted, decided by a real worker, read, moderated."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from sqlalchemy import select

from moderation.models import Event
from moderation.policy import SiteSettings
from moderation.sites import create_site
from tests.support.service import (
    FRIENDLY,
    PAGE,
    SITE_KEY,
    UNFRIENDLY,
    Client,
    Service,
    running_service,
)

OTHER_KEY = "another-site-key-0123456789"


@pytest.fixture
def own_service(tmp_path: Path, database_url: str) -> Iterator[Service]:
    """A service of the test's own, once on each kind of database."""
    with running_service(tmp_path / "home", database_url=database_url) as service:
        service.set_site(SiteSettings(audit_share=0))
        yield service


def test_a_comment_goes_its_whole_way_and_a_second_start_finds_it(own_service: Service) -> None:
    posted = own_service.post_comment(text=FRIENDLY)
    assert posted.status == 202
    assert posted.json["status"] == "pending"
    friendly = posted.json["id"]
    unfriendly = own_service.post_comment(text=UNFRIENDLY, email="ted@example.org").json["id"]

    assert posted.headers["Location"] == f"/v1/comments/{friendly}"
    assert own_service.decision_on(friendly) == "approved"
    assert own_service.decision_on(unfriendly) == "held"
    assert own_service.published() == [friendly]

    moderator = Client(own_service.url)
    assert moderator.sign_in().status == 303
    desk = unescape(moderator.page("/desk/").text)
    assert '<mark title="speaks against it' in desk
    assert re.search(r"insult [01]\.\d\d, above 0\.\d\d", desk)
    assert friendly not in desk

    assert moderator.decide(unfriendly, "approved").status == 303
    assert "Nothing waits for a decision" in moderator.page("/desk/").text
    assert own_service.published() == [friendly, unfriendly]

    assert own_service.stop() == 0
    own_service.start()
    assert own_service.published() == [friendly, unfriendly]
    assert _events(own_service, unfriendly) == [
        ("worker", "pending", "held"),
        ("moderator", "held", "approved"),
    ]
    assert Client(own_service.url).sign_in().status == 303


def test_a_reader_without_a_script_is_sent_back_to_the_page(service: Service) -> None:
    reader = Client(service.url)

    answer = reader.submit(
        "/v1/comments",
        {
            "site": "demo",
            "comment_post_ID": PAGE + "?from=front",
            "author": "Øyvind",
            "email": "oyvind@example.org",
            "comment": FRIENDLY,
            "url": "",
            "comment_parent": "0",
        },
        Origin="https://news.example",
    )

    assert answer.status == 303
    place = re.fullmatch(
        re.escape(PAGE) + r"\?from=front&comment=(\w{32})#comment-\1", answer.headers["Location"]
    )
    assert place
    assert service.decision_on(place[1]) == "approved"
    state = reader.page(f"/v1/comments/{place[1]}").text
    assert 'data-status="approved"' in state


def test_an_answer_is_listed_below_what_it_answers(service: Service) -> None:
    page = "https://news.example/answers"
    question = service.post_comment(page=page).json["id"]
    assert service.decision_on(question) == "approved"

    early = service.post_comment(page=page, parent="0" * 32)
    answer = service.post_comment(page=page, parent=question, name="Émile").json["id"]

    assert early.status == 422
    assert service.decision_on(answer) == "approved"
    listed = service.request("GET", f"/v1/comments?page={page}&site=demo").json["comments"]
    assert [comment["id"] for comment in listed] == [question]
    assert [reply["name"] for reply in listed[0]["replies"]] == ["Émile"]


def test_no_site_sees_the_comments_of_another(service: Service) -> None:
    database = service.database()
    with database.write() as connection:
        create_site(connection, name="other", key=OTHER_KEY, settings=SiteSettings())
    database.close()
    page = "https://news.example/of-both-sites"

    ours = service.post_comment(page=page).json["id"]
    theirs = service.post_comment(page=page, key=OTHER_KEY).json["id"]
    stranger = service.post_comment(page=page, key="not-a-key-of-any-site")

    assert stranger.status == 401
    assert {service.decision_on(ours), service.decision_on(theirs)} == {"approved"}
    assert service.published(page, key=SITE_KEY) == [ours]
    assert service.published(page, key=OTHER_KEY) == [theirs]
    assert service.post_comment(page=page, key=OTHER_KEY, parent=ours).status == 422


def _events(service: Service, comment_id: str) -> list[tuple[str, str, str]]:
    database = service.database()
    with database.read() as connection:
        rows = connection.execute(
            select(Event.actor_kind, Event.from_status, Event.to_status)
            .where(Event.comment_id == comment_id)
            .order_by(Event.id)
        ).all()
    database.close()
    return [(row.actor_kind, row.from_status, row.to_status) for row in rows]
