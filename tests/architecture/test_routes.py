import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.routing import Rule

from moderation.db import Database
from moderation.domain import Status
from moderation.models import Comment, Event, SettingChange, SiteKey
from moderation.web.access import (
    ADMINISTRATOR_BLUEPRINTS,
    API_BLUEPRINTS,
    PUBLIC_ENDPOINTS,
    SITE_BLUEPRINTS,
)
from tests.support.comments import add_comment, add_site, held_by_worker
from tests.support.web import (
    BROWSER,
    PASSWORD,
    add_moderator,
    first_site,
    moderator_token,
    sign_in,
)

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SECRET = "Nobody but the Gazette may read this"


def calls(app: Flask) -> list[tuple[Rule, str]]:
    """Every route with each of its methods."""
    return [
        (rule, method)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"OPTIONS"})
    ]


def address(app: Flask, rule: Rule, given: dict[str, Any] | None = None) -> str:
    """An address of the route, with some value for each of its arguments."""
    known = {"filename": "style.css", "name": "gazette", "account_id": 1} | (given or {})
    values = {name: known.get(name, "0" * 32) for name in rule.arguments}
    with app.test_request_context():
        return app.url_for(rule.endpoint, **values)


def is_api(rule: Rule) -> bool:
    return rule.endpoint.partition(".")[0] in API_BLUEPRINTS


def is_for_administrators(rule: Rule) -> bool:
    return rule.endpoint.partition(".")[0] in ADMINISTRATOR_BLUEPRINTS


def asks_to_sign_in(response: Any) -> bool:
    return response.status_code == 303 and response.location.startswith("/sign-in")


def asks_for_a_token(response: Any) -> bool:
    return (
        response.status_code == 401
        and response.content_type == "application/problem+json"
        and "token" in response.get_json()["detail"]
        and response.headers["WWW-Authenticate"].startswith("Bearer")
    )


def test_a_route_is_public_only_where_the_list_says_so(app: Flask) -> None:
    # What protects forms is switched off, so that it is not what keeps us out.
    app.config["WTF_CSRF_ENABLED"] = False
    assert len(calls(app)) > len(PUBLIC_ENDPOINTS)
    for rule, method in calls(app):
        with app.test_client().open(address(app, rule), method=method) as response:
            assert response.status_code < 500, rule
            # The answer to HEAD has no body to look into.
            wants_token = response.status_code == 401 and is_api(rule)
            refused = asks_to_sign_in(response) or wants_token
            assert refused == (rule.endpoint not in PUBLIC_ENDPOINTS), rule
            assert asks_to_sign_in(response) == (refused and not is_api(rule)), rule


def test_a_token_opens_the_api_and_nothing_else(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    token = moderator_token(client)
    for rule, method in calls(app):
        if rule.endpoint in PUBLIC_ENDPOINTS:
            continue
        with app.test_client().open(address(app, rule), method=method, headers=token) as response:
            assert response.status_code < 500, rule
            assert asks_to_sign_in(response) != is_api(rule), rule
            assert response.status_code != 401, rule


@pytest.mark.parametrize("authorization", ["Bearer wrong", "Bearer ", "Basic YTpi", ""])
def test_a_wrong_token_opens_nothing_and_a_session_does_not_open_the_api(
    app: Flask, authorization: str
) -> None:
    client = app.test_client()
    sign_in(client)
    rules = [(rule, method) for rule, method in calls(app) if is_api(rule) and method != "HEAD"]
    assert rules
    for rule, method in rules:
        response = client.open(
            address(app, rule), method=method, headers={"Authorization": authorization}
        )
        assert asks_for_a_token(response), rule


def test_administrators_pages_are_closed_to_moderators(app: Flask, database: Database) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    add_site(database, "gazette")
    add_moderator(database, "mona", "gazette")
    client = app.test_client()
    sign_in(client, name="mona", password=PASSWORD)
    before = stored(database)
    refused = set()
    for rule, method in calls(app):
        if is_for_administrators(rule):
            assert client.open(address(app, rule), method=method).status_code == 403, rule
            refused.add(rule.endpoint)
    assert {endpoint.partition(".")[0] for endpoint in refused} == ADMINISTRATOR_BLUEPRINTS
    assert stored(database) == before


def test_a_moderator_gets_nothing_of_another_site(app: Flask, database: Database) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    site = add_site(database, "gazette", notify_url="https://gazette.example/hook")
    comment_id = add_comment(
        database, site, status=Status.HELD, text=SECRET, name=SECRET, page=f"/{SECRET}"
    )
    add_site(database, "courier")
    add_moderator(database, "mona", "courier")
    token = moderator_token(app.test_client(), "mona")
    before = stored(database)
    there = {"name": "gazette", "comment_id": comment_id}
    asked = {"site": "gazette", "comment": comment_id, "q": "Gazette", "status": "held"}
    form = {"to": "approved", "version": "1", "comment_id": comment_id, "ids": comment_id}

    def answer(rule: Rule, method: str, given: dict[str, Any], query: dict[str, str]) -> Any:
        # A client of its own, because some calls sign out.
        client = app.test_client()
        sign_in(client, name="mona", password=PASSWORD)
        return client.open(
            address(app, rule, given),
            method=method,
            query_string=query,
            headers=token if is_api(rule) else {},
            **({"json": form} if is_api(rule) else {"data": form}),
        )

    for rule, method in calls(app):
        if rule.endpoint in PUBLIC_ENDPOINTS:
            continue
        for query in ({}, asked):
            response = answer(rule, method, there, query)
            assert response.status_code < 500, rule
            assert SECRET not in response.get_data(as_text=True), rule
            if "comment_id" in rule.arguments:
                absent = answer(rule, method, {}, query)
                assert response.status_code == absent.status_code, rule
    assert stored(database) == before


def stored(database: Database) -> list[Any]:
    """All that must not have changed."""
    with database.read() as connection:
        return [
            connection.execute(select(table.__table__)).all()
            for table in (Comment, Event, SiteKey, SettingChange)
        ]


def test_the_list_of_public_routes_has_no_stale_entry(app: Flask) -> None:
    assert {rule.endpoint for rule in app.url_map.iter_rules()} >= PUBLIC_ENDPOINTS


def test_whatever_changes_something_wants_the_token_of_its_form(app: Flask) -> None:
    for rule, method in calls(app):
        if method in ("GET", "HEAD"):
            continue
        client = app.test_client()
        sign_in(client)
        response = client.open(address(app, rule), method=method)
        refused = response.status_code == 400 and "CSRF" in response.text
        wants_none = rule.endpoint.partition(".")[0] in SITE_BLUEPRINTS | API_BLUEPRINTS
        assert refused != wants_none, rule


def test_every_link_on_every_page_leads_somewhere(app: Flask) -> None:
    client = app.test_client()
    sign_in(client)
    site = first_site(client)
    comment_id = held_by_worker(app.extensions["moderation"].database, site)
    pages = ["/demo", "/docs", "/desk/", "/sign-in", "/nowhere", f"/v1/comments/{comment_id}"]
    pages += [f"/desk/comments/{comment_id}", "/desk/?status=all"]
    pages += [f"/desk/comments/{comment_id}/history", "/desk/history", "/desk/numbers"]
    pages += ["/desk/scores?score_from=0&score_to=1"]
    pages += ["/desk/import", f"/desk/comments/{comment_id}/erase", "/desk/history/disagreements"]
    pages += ["/v1/form?site=demo&page=/demo"]
    pages += ["/desk/account", "/desk/people", "/desk/people/1"]
    pages += ["/desk/sites", "/desk/sites/demo/", "/desk/sites/demo/keys"]
    pages += ["/desk/sites/demo/webhooks", "/desk/sites/demo/models"]
    for page in pages:
        text = client.get(page, headers=BROWSER).text
        links = set(re.findall(r'(?:href|src)="(/[^"#]*)', text))
        assert links
        for link in links:
            with client.get(link, follow_redirects=True) as response:
                assert response.status_code == 200, f"{link} on {page}"
