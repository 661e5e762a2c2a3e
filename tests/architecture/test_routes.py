import re
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import Rule

from moderation.web.access import API_BLUEPRINTS, PUBLIC_ENDPOINTS
from tests.support.comments import held_by_worker
from tests.support.web import BROWSER, first_site, sign_in

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# Forms that readers post from pages of other sites, where there is no session to protect.
WITHOUT_TOKEN = {"comments.submit"}


def calls(app: Flask) -> list[tuple[Rule, str]]:
    """Every route with each of its methods."""
    return [
        (rule, method)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"OPTIONS"})
    ]


def address(app: Flask, rule: Rule) -> str:
    """An address of the route, with some value for each of its arguments."""
    values = dict.fromkeys(rule.arguments, "style.css" if rule.endpoint == "static" else "0" * 32)
    with app.test_request_context():
        return app.url_for(rule.endpoint, **values)


def is_api(rule: Rule) -> bool:
    return rule.endpoint.partition(".")[0] in API_BLUEPRINTS


def asks_to_sign_in(response: Any) -> bool:
    return response.status_code == 303 and response.location.startswith("/sign-in")


def test_a_route_is_public_only_where_the_list_says_so(app: Flask) -> None:
    # What protects forms is switched off, so that it is not what keeps us out.
    app.config["WTF_CSRF_ENABLED"] = False
    assert len(calls(app)) > len(PUBLIC_ENDPOINTS)
    for rule, method in calls(app):
        with app.test_client().open(address(app, rule), method=method) as response:
            assert response.status_code < 500, rule
            wants_token = response.status_code == 401 and is_api(rule)
            refused = asks_to_sign_in(response) or wants_token
            assert refused == (rule.endpoint not in PUBLIC_ENDPOINTS), rule


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
        assert refused == (rule.endpoint not in WITHOUT_TOKEN and not is_api(rule)), rule


def test_every_link_on_every_page_leads_somewhere(app: Flask) -> None:
    client = app.test_client()
    sign_in(client)
    site = first_site(client)
    comment_id = held_by_worker(app.extensions["moderation"].database, site)
    pages = ["/demo", "/docs", "/desk/", "/sign-in", "/nowhere", f"/v1/comments/{comment_id}"]
    pages += [f"/desk/comments/{comment_id}", "/desk/?status=all"]
    pages += [f"/desk/comments/{comment_id}/history", "/desk/history", "/desk/numbers"]
    pages += ["/desk/scores?score_from=0&score_to=1"]
    for page in pages:
        text = client.get(page, headers=BROWSER).text
        links = set(re.findall(r'(?:href|src)="(/[^"#]*)', text))
        assert links
        for link in links:
            with client.get(link) as response:
                assert response.status_code == 200, f"{link} on {page}"
