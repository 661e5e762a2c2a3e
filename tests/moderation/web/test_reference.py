import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from moderation.web.reference import openapi
from tests.support.web import FIELDS, FORM, KEY, moderator_token

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation of everything that is documented."""
    return [
        (path, method, operation)
        for path, methods in openapi()["paths"].items()
        for method, operation in methods.items()
    ]


def test_the_document_is_valid_openapi(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_every_public_path_of_the_interface_is_documented(client: FlaskClient) -> None:
    routes = {
        (rule.rule.replace("<comment_id>", "{id}").replace("<site>", "{site}"), method.lower())
        for rule in client.application.url_map.iter_rules()
        if rule.rule.startswith("/v1/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, method, _ in operations()} == routes


def test_the_page_lists_every_call_and_what_is_required_comes_first(client: FlaskClient) -> None:
    page = client.get("/docs").text
    for _, _, operation in operations():
        assert f'<a href="#{operation["operationId"]}">' in page
        assert f'id="{operation["operationId"]}"' in page
    body = page[page.index("<h3>Body") :]
    names = re.findall(r'<th scope="row"><code>(\w+)</code>( <span class="required">)?', body)
    marks = [bool(is_required) for _, is_required in names[: names.index(("token", "")) + 1]]
    assert marks == sorted(marks, reverse=True)
    assert any(marks)


@pytest.mark.usefixtures("ready")
def test_every_documented_path_answers_as_documented(client: FlaskClient) -> None:
    posted = client.post("/v1/comments", json=FIELDS, headers=KEY)
    feedback = f"{posted.headers['Location']}/feedback"
    answers = desk_answers(client, posted.get_json()["id"]) | {
        "submitComment": posted,
        "listComments": client.get("/v1/comments?page=/bridge&site=demo"),
        "getChallenge": client.get("/v1/challenge?site=demo"),
        "getForm": client.get("/v1/form?page=/bridge&site=demo"),
        "getComment": client.get(posted.headers["Location"]),
        "report": client.post(f"{posted.headers['Location']}/reports", json={}, headers=KEY),
        "giveFeedback": client.post(feedback, json={"status": "held"}, headers=KEY),
        "score": client.post("/v1/score", json={"text": FIELDS["text"]}, headers=KEY),
        "getAccount": client.get("/v1/account", headers=moderator_token(client)),
        "getJsonFeed": client.get("/v1/feeds/demo.json?page=https://news.example/"),
        "getAtomFeed": client.get("/v1/feeds/demo.atom?page=/bridge"),
    }
    assert {operation["operationId"] for _, _, operation in operations()} == answers.keys()
    for _, _, operation in operations():
        answer = answers[operation["operationId"]]
        documented = operation["responses"][str(answer.status_code)].get("content")
        if documented is None:
            assert answer.status_code == 204
            continue
        schema = documented[answer.mimetype]["schema"]
        if schema == {"type": "string"}:
            continue
        schema = schema_of(schema)
        assert answer.get_json().keys() == schema["properties"].keys()


def desk_answers(client: FlaskClient, comment_id: str) -> dict[str, Any]:
    """An answer of each call of the moderators; one decision after the other."""
    token = moderator_token(client)
    path = f"/v1/comments/{comment_id}"
    decision = {"to": "rejected", "reason": "spam", "version": 0}
    seen = {"to": "approved", "comments": [{"id": comment_id, "version": 1}]}
    return {
        "listQueue": client.get("/v1/queue", headers=token),
        "getCard": client.get(f"{path}/card", headers=token),
        "decide": client.post(f"{path}/decision", json=decision, headers=token),
        "decideSeveral": client.post("/v1/decisions", json=seen, headers=token),
        "undo": client.post("/v1/decisions/undo", headers=token),
        "note": client.post(f"{path}/notes", json={"text": "Look again."}, headers=token),
        "setStanding": client.put(f"{path}/author", json={"standing": None}, headers=token),
        "getEmail": client.post(f"{path}/email", headers=token),
        "read": client.put(f"{path}/reader", headers=token),
        "leave": client.delete(f"{path}/reader", headers=token),
        "listEvents": client.get("/v1/events", headers=token),
    }


def test_every_kind_of_body_that_is_documented_is_taken(client: FlaskClient) -> None:
    for content_type in openapi()["paths"]["/v1/comments"]["post"]["requestBody"]["content"]:
        body = {"json": FORM} if content_type == "application/json" else {"data": FORM}
        response = client.post("/v1/comments", content_type=content_type, **body)
        assert response.status_code == 202


def test_a_problem_looks_as_documented(client: FlaskClient) -> None:
    answer = client.get("/v1/comments/none")
    documented = openapi()["paths"]["/v1/comments/{id}"]["get"]["responses"]["404"]["content"]
    assert answer.content_type in documented
    schema = schema_of(documented[answer.content_type]["schema"])
    assert answer.get_json().keys() == schema["properties"].keys()


def test_what_has_to_be_sent_is_what_the_document_requires(client: FlaskClient) -> None:
    required = openapi()["components"]["schemas"]["CommentSubmission"]["required"]
    answer = client.post("/v1/comments", json={}, headers=KEY)
    assert [error["field"] for error in answer.get_json()["errors"]] == required


def test_every_field_and_parameter_is_described(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    silent = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, shape in schema.get("properties", {}).items()
        if not shape.get("description")
    ]
    silent += [
        f"{operation['operationId']}.{parameter['name']}"
        for _, _, operation in operations()
        for parameter in operation.get("parameters", [])
        if not parameter.get("description")
    ]
    assert silent == []


def test_the_page_shows_every_operation_and_field(client: FlaskClient) -> None:
    response = client.get("/docs")
    assert response.mimetype == "text/html"
    for path, method, operation in operations():
        assert f"<code>{method.upper()} {path}</code> {operation['summary']}" in response.text
    for name, schema in openapi()["components"]["schemas"].items():
        for field in schema.get("properties", {}):
            assert f"<code>{field}</code>" in response.text, f"{name}.{field}"


def schema_of(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = openapi()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found
