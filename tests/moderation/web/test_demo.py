import re

import pytest
from flask.testing import FlaskClient

from moderation.db import Database
from moderation.domain import Status
from moderation.models import Site, SiteKey
from moderation.web.demo import PAGE
from tests.support.comments import add_comment
from tests.support.web import FORM, first_site

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HOSTILE = "<script>alert('x')</script>\"&"


def test_the_form_is_the_one_that_readers_expect(client: FlaskClient) -> None:
    text = re.sub(r"<[^>]+>", "", client.get(PAGE).text)
    for expected in (
        *("Leave a Reply", "Comment *", "Name *", "Email *", "Website", "Post Comment"),
        "Your email address will not be published. Required fields are marked *",
    ):
        assert expected in text


def test_the_form_can_be_sent_as_it_is(client: FlaskClient) -> None:
    page = client.get(PAGE).text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    assert hidden == {"site": "demo", "page": PAGE, "page_title": "The last ferry across the Ems"}
    (address,) = re.findall(r'<form method="post" action="([^"]+)"', page)
    typed = {name: FORM[name] for name in ("name", "email", "text")}
    assert client.post(address, data=hidden | typed).status_code == 202


def test_published_comments_stand_below_the_article(
    client: FlaskClient, database: Database
) -> None:
    site = first_site(client)
    start = add_comment(database, site, page=PAGE, status=Status.APPROVED)
    answer = add_comment(database, site, page=PAGE, status=Status.APPROVED, parent=start)
    held = add_comment(database, site, page=PAGE, status=Status.HELD)
    page = client.get(PAGE).text
    assert re.findall(r'id="comment-(\w+)"', page) == [start, answer]
    assert "1 conversation\n" in page.replace("</h2>", "\n")
    assert held not in page
    assert "zoe@example.org" not in page


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.PENDING, "Your comment is being looked at"),
        (Status.APPROVED, "Your comment is published."),
        (Status.HELD, "Your comment is awaiting moderation."),
        (Status.REJECTED, "Your comment was not published."),
    ],
)
def test_who_posted_sees_where_the_comment_stands(
    client: FlaskClient, database: Database, status: Status, words: str
) -> None:
    comment_id = add_comment(database, first_site(client), page=PAGE, status=status)
    page = client.get(f"{PAGE}?comment={comment_id}").text
    (shown,) = re.findall(r'data-rejected="[^"]+">([^<]+)</p>', page)
    assert words in shown
    assert page.count(f'id="comment-{comment_id}"') == 1


def test_a_comment_that_is_not_there_is_not_shown(client: FlaskClient) -> None:
    for comment_id in ("", "0" * 32, HOSTILE):
        response = client.get(PAGE, query_string={"comment": comment_id})
        assert response.status_code == 200
        assert 'role="status"' not in response.text
        assert "<script>alert" not in response.text


@pytest.mark.parametrize("status", [Status.APPROVED, Status.HELD])
def test_nothing_of_a_comment_is_taken_for_html(
    client: FlaskClient, database: Database, status: Status
) -> None:
    fields = {"name": HOSTILE, "text": HOSTILE, "website": f"https://x.example/{HOSTILE}"}
    comment_id = add_comment(database, first_site(client), page=PAGE, status=status, **fields)
    page = client.get(f"{PAGE}?comment={comment_id}").text
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;") >= 2


def test_the_article_stands_without_its_site(client: FlaskClient, database: Database) -> None:
    with database.write() as connection:
        connection.execute(SiteKey.__table__.delete())
        connection.execute(Site.__table__.delete())
    assert client.get(PAGE).status_code == 200
