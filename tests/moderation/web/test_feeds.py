import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, fromstring

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from moderation.clock import HOUR
from moderation.db import Database
from moderation.domain import Status
from moderation.models import Event, Thread
from moderation.review import Change, set_status
from moderation.schemas import JsonFeed
from moderation.website import feeds, freshness
from moderation.website.feeds import Entry, Feed
from tests.support.comments import EMAIL, MODERATOR, PAGE, add_comment, add_site
from tests.support.web import first_site

ATOM = "{http://www.w3.org/2005/Atom}"
HOSTILE = "</content>]]><script>alert('x')</script>\"&amp;\ufffe\u202e"
PAGE_OF_HOSTILE = "/</id><script>'\"&amp;?#"
FORMS = pytest.mark.parametrize("form", ["json", "atom"])


@pytest.fixture
def database_url(migrated_file: Path, tmp_path: Path) -> str:
    """One kind of database is enough for what this is about."""
    return f"sqlite:///{shutil.copy(migrated_file, tmp_path)}"


def address(form: str, page: str = PAGE, site: str = "demo") -> str:
    return f"/v1/feeds/{site}.{form}?page={quote(page, safe='')}"


def entries(response: Any) -> list[Element]:
    return fromstring(response.data).findall(f"{ATOM}entry")


def texts(response: Any) -> list[str | None]:
    if response.mimetype == "application/feed+json":
        return [item["content_text"] for item in response.get_json()["items"]]
    return [entry.findtext(f"{ATOM}content") for entry in entries(response)]


def publish(database: Database, site: int, text: str = "Hello", **columns: Any) -> str:
    return add_comment(database, site, status=Status.APPROVED, text=text, **columns)


@FORMS
def test_the_latest_published_comments_come_first_and_no_others(
    client: FlaskClient, database: Database, form: str
) -> None:
    site = first_site(client)
    publish(database, site, "first", age=2000)
    publish(database, site, "second", age=1000)
    publish(database, site, "third")
    publish(database, site, "elsewhere", page="/other")
    publish(database, add_site(database, "courier"), "of another site")
    for status in (Status.HELD, Status.REJECTED, Status.PENDING):
        add_comment(database, site, status=status, text="not published")
    assert texts(client.get(address(form))) == ["third", "second", "first"]
    assert texts(client.get(address(form) + "&limit=2")) == ["third", "second"]
    assert texts(client.get(address(form, "/nothing"))) == []


@FORMS
def test_a_feed_of_all_pages_is_offered_only_where_the_site_says_so(
    client: FlaskClient, database: Database, form: str
) -> None:
    site = add_site(database, "a.b")
    publish(database, site, "one", page="/one")
    refused = client.get(f"/v1/feeds/a.b.{form}")
    assert refused.status_code == 403
    assert "`page`" in refused.get_json()["detail"]
    other = add_site(database, "courier", site_feed=True)
    publish(database, other, "one", page="/one")
    publish(database, other, "two", page="/two", age=HOUR)
    assert texts(client.get(f"/v1/feeds/courier.{form}")) == ["one", "two"]


def test_a_json_feed_has_what_the_format_asks_for(client: FlaskClient, database: Database) -> None:
    site = first_site(client)
    comment = publish(database, site, "Hello", website="https://zoe.example", page=f"{PAGE}#top")
    with database.write() as connection:
        connection.execute(update(Thread).values(title="The bridge"))
    response = client.get(address("json", f"{PAGE}#top"))
    assert response.content_type == "application/feed+json"
    feed = response.get_json()
    assert JsonFeed.model_validate(feed)
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["title"] == "Comments on The bridge"
    assert feed["feed_url"].endswith(address("json", f"{PAGE}#top"))
    (item,) = feed["items"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*\+00:00", item.pop("date_published"))
    assert item == {
        "id": comment,
        "url": f"{PAGE}#comment-{comment}",
        "title": "Zoë on The bridge",
        "content_text": "Hello",
        "authors": [{"name": "Zoë", "url": "https://zoe.example"}],
        "_moderation": {"page": f"{PAGE}#top", "parent": None},
    }


def test_a_comment_without_a_name_is_called_by_its_page(
    client: FlaskClient, database: Database
) -> None:
    publish(database, first_site(client), name="")
    (item,) = client.get(address("json")).get_json()["items"]
    assert item["title"] == PAGE


def test_an_atom_feed_has_what_the_format_asks_for(client: FlaskClient, database: Database) -> None:
    comment = publish(database, first_site(client))
    response = client.get(address("atom"))
    assert response.content_type == "application/atom+xml; charset=utf-8"
    root = fromstring(response.data)
    assert root.tag == f"{ATOM}feed"
    for name in ("id", "title", "updated"):
        assert root.findtext(f"{ATOM}{name}")
    (entry,) = entries(response)
    for name in ("id", "title", "updated", "author"):
        assert len(entry.findall(f"{ATOM}{name}")) == 1
    assert entry.findtext(f"{ATOM}author/{ATOM}name") == "Zoë"
    assert (entry.findtext(f"{ATOM}id") or "").replace("-", "") == f"urn:uuid:{comment}"
    link = entry.find(f"{ATOM}link")
    assert link is not None
    assert link.attrib["href"] == f"{PAGE}#comment-{comment}"


@FORMS
def test_hostile_comments_stay_text(client: FlaskClient, database: Database, form: str) -> None:
    site = first_site(client)
    publish(database, site, HOSTILE, name=HOSTILE, page=PAGE_OF_HOSTILE)
    response = client.get(address(form, PAGE_OF_HOSTILE))
    (text,) = texts(response)
    assert text is not None
    assert text.replace("\ufffd", "\ufffe") == HOSTILE
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    if form == "atom":
        assert b"<script" not in response.data


@given(st.text(), st.text(), st.text(min_size=1))
def test_whatever_is_written_is_sound_xml(text: str, name: str, page: str) -> None:
    entry = Entry("0" * 32, None, name, "", text, 0, page, "")
    root = fromstring(feeds.atom(Feed(name, page, page, [entry])))
    assert len(root.findall(f"{ATOM}entry/{ATOM}content")) == 1
    assert {element.tag.partition("}")[0] for element in root.iter()} == {ATOM[:-1]}


@FORMS
def test_a_feed_never_carries_the_e_mail_address(
    client: FlaskClient, database: Database, form: str
) -> None:
    site = add_site(database, "courier", site_feed=True)
    publish(database, site, website="https://zoe.example")
    for path in (address(form, site="courier"), f"/v1/feeds/courier.{form}"):
        response = client.get(path)
        assert response.status_code == 200
        assert EMAIL not in response.text


@FORMS
def test_who_has_the_feed_is_told_that_nothing_is_new(
    client: FlaskClient, database: Database, form: str
) -> None:
    site = first_site(client)
    comment = publish(database, site)
    first = client.get(address(form))
    assert "Last-Modified" not in first.headers
    by_tag = {"If-None-Match": first.headers["ETag"]}
    again = client.get(address(form), headers=by_tag)
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    with database.write() as connection:
        connection.execute(update(Event).values(at=Event.at - HOUR))
        changed = Change(comment_id=comment, to=Status.REJECTED, reason="other")
        set_status(connection, [changed], actor=MODERATOR)
    gone = client.get(address(form), headers=by_tag)
    assert gone.status_code == 200
    assert texts(gone) == []
    with database.write() as connection:
        connection.execute(update(Event).values(at=Event.at - HOUR))
    dated = client.get(address(form))
    since = {"If-Modified-Since": dated.headers["Last-Modified"]}
    assert client.get(address(form), headers=since).status_code == 304


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/feeds/nowhere.json?page=/x", 404),
        ("/v1/feeds/demo.rss?page=/x", 404),
        ("/v1/feeds/demo.json?page=/x&limit=0", 422),
        ("/v1/feeds/demo.atom?page=/x&limit=many", 422),
    ],
)
def test_what_is_wrong_is_told(client: FlaskClient, path: str, status: int) -> None:
    response = client.get(path)
    assert response.status_code == status
    assert response.content_type == "application/problem+json"


class TestAskingAgain:
    def test_an_answer_is_not_made_again_while_nothing_happens(
        self, client: FlaskClient, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site = first_site(client)
        publish(database, site)
        path = f"/v1/comments?site=demo&page={quote(PAGE)}"
        first = client.get(path)
        headers = {"If-None-Match": first.headers["ETag"]}

        def never(*_args: Any, **_named: Any) -> None:
            raise AssertionError

        monkeypatch.setattr("moderation.website.threads.published", never)
        again = client.get(path, headers=headers)
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["Cache-Control"] == "no-cache"
        monkeypatch.undo()
        publish(database, site, "more")
        assert "more" in client.get(path, headers=headers).text

    def test_what_no_event_tells_of_is_noticed_a_little_later(
        self, client: FlaskClient, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publish(database, first_site(client))
        path = f"/v1/comments?site=demo&page={quote(PAGE)}"
        headers = {"If-None-Match": client.get(path).headers["ETag"]}
        with database.write() as connection:
            connection.execute(update(Thread).values(page="/moved"))
        assert client.get(path, headers=headers).status_code == 304
        monkeypatch.setattr(freshness, "_BELIEVED_FOR", 0.0)
        assert client.get(path, headers=headers).status_code == 200

    def test_another_site_has_answers_of_its_own(
        self, client: FlaskClient, database: Database
    ) -> None:
        other = add_site(database, "courier")
        publish(database, first_site(client), "ours")
        publish(database, other, "theirs")
        path = f"/v1/comments?page={quote(PAGE)}"
        ours = client.get(f"{path}&site=demo")
        theirs = client.get(path, headers={"Authorization": "Bearer courier-key"})
        assert "ours" in ours.text
        assert "theirs" in theirs.text
        headers = {"Authorization": "Bearer courier-key", "If-None-Match": ours.headers["ETag"]}
        assert client.get(path, headers=headers).status_code == 200

    def test_few_questions_are_remembered_for_long(self) -> None:
        known = freshness.Freshness()
        moment = freshness.Moment(1, 1)
        for question in range(10_000):
            known.remember(question, moment, "tag")
        assert known.etag(0, moment) is None
        assert known.etag(9_999, moment) == "tag"
        assert known.etag(9_999, freshness.Moment(2, 1)) is None
        assert len(known._known) < 5_000
