"""The OpenAPI document, made from the schemas that validate, and a page that shows it."""

from functools import cache
from typing import Any

from flask import Blueprint, jsonify, render_template
from flask.typing import ResponseReturnValue
from pydantic import BaseModel

from moderation.desk.desk_schemas import (
    AppliedOut,
    CardOut,
    ConflictProblem,
    DecisionIn,
    DecisionsIn,
    EmailOut,
    NoteIn,
    OutcomeOut,
    QueueAsked,
    QueuePage,
    ReaderOut,
    StandingIn,
)
from moderation.desk.event_schemas import EventPage, EventsFollowed
from moderation.schemas import (
    AccountState,
    CommentPage,
    CommentReceipt,
    CommentState,
    CommentSubmission,
    FeedQuery,
    FormChallenge,
    FormQuery,
    JsonFeed,
    Problem,
    PublishedQuery,
    SiteQuery,
    WebhookMessage,
)
from moderation.website.client_schemas import (
    CorrectedState,
    FeedbackIn,
    ReportIn,
    ScoreIn,
    ScoresOut,
)

blueprint = Blueprint("reference", __name__)

_ETAG = "The `ETag` that you have."
_PROBLEM = "application/problem+json"
_FORM = "application/x-www-form-urlencoded"
_PARAMETER_KEYWORDS = (
    "type",
    "format",
    "enum",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
)
_KEYED: list[dict[str, list[str]]] = [{"siteKey": []}, {}]
_SITES: list[dict[str, list[str]]] = [{"siteKey": []}]
_MODERATORS: list[dict[str, list[str]]] = [{"moderatorToken": []}]


@blueprint.get("/openapi.json")
def document() -> ResponseReturnValue:
    """The document, for programs."""
    return jsonify(openapi())


@blueprint.get("/docs")
def page() -> str:
    """The document, for people."""
    return render_template("reference.html", api=openapi(), resolve=_resolve)


@cache
def openapi() -> dict[str, Any]:
    """The OpenAPI 3.1 document of the public interface."""
    # Takes longer to import than all else of the web, and few ask for the document.
    from openapi_pydantic import OpenAPI  # noqa: PLC0415
    from openapi_pydantic.util import construct_open_api_with_schema_class  # noqa: PLC0415

    skeleton = OpenAPI.model_validate(
        {
            "openapi": "3.1.1",
            "info": {
                "title": "Moderation",
                "version": "1",
                "description": "Post readers' comments, show those that are published, moderate.",
            },
            "components": {
                "securitySchemes": {
                    "siteKey": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "The site's key. Without it, name the site in `site`.",
                    },
                    "moderatorToken": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "A moderator's token, from “Your account” at the desk.",
                    },
                }
            },
            "paths": {
                "/v1/comments": {"post": _submit(), "get": _published()},
                "/v1/comments/{id}": {"get": _state()},
                "/v1/challenge": {"get": _challenge()},
                "/v1/form": {"get": _form()},
                "/v1/feeds/{site}.json": {"get": _json_feed()},
                "/v1/feeds/{site}.atom": {"get": _atom()},
                "/v1/comments/{id}/feedback": {"post": _feedback()},
                "/v1/comments/{id}/reports": {"post": _report()},
                "/v1/score": {"post": _score()},
                **_desk(),
                "/v1/events": {"get": _events()},
                "/v1/account": {"get": _account()},
            },
            "webhooks": {"commentChanged": {"post": _comment_changed()}},
        }
    )
    complete = construct_open_api_with_schema_class(skeleton, by_alias=False)
    # The library's defaults for one kind of parameter are not allowed for another.
    return complete.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)


def _submit() -> dict[str, Any]:
    body = _content(CommentSubmission)
    key = _header("Idempotency-Key", "Repeat it and you get the first answer again.")
    prefer = _header("Prefer", "`wait`: answer with the decision (RFC 7240).")
    location = {"description": "Where to ask for the status.", "schema": {"type": "string"}}
    return {
        "operationId": "submitComment",
        "summary": "Post a comment",
        "description": "It is stored durably before the answer, and decided in a moment. A form "
        "posted by a browser is answered 303, back to its page.",
        "security": _KEYED,
        "parameters": [key, prefer],
        "requestBody": {
            "required": True,
            "content": {"application/json": body, _FORM: body, "multipart/form-data": body},
        },
        "responses": {
            "201": _answer("Stored and decided, as `Prefer: wait` asked for.", CommentReceipt)
            | {"headers": {"Location": location}},
            "202": _answer("Stored.", CommentReceipt) | {"headers": {"Location": location}},
            "303": {"description": "Stored; a browser goes back to its page."},
            "400": _problem("The body is no JSON object."),
            "401": _problem("The key is not known, or neither a key nor a site was given."),
            "413": _problem("The request is too large."),
            "415": _problem("The body is neither JSON nor a form."),
            "422": _problem("Fields are wrong; `errors` names each of them."),
            "503": _problem("Nothing was stored; try again after `Retry-After`."),
        },
    }


def _published() -> dict[str, Any]:
    etag = _header("If-None-Match", _ETAG)
    return {
        "operationId": "listComments",
        "summary": "The published comments of a page",
        "description": "Cheap to ask for again: send the `ETag` that you have, every ten seconds "
        "for example, to follow a page.",
        "security": _KEYED,
        "parameters": [*_query(PublishedQuery), etag],
        "responses": {
            "200": _answer("Conversations, the oldest first.", CommentPage),
            "304": {"description": "Nothing has changed."},
            "401": _problem("The key is not known, or neither a key nor a site was given."),
            "422": _problem("Parameters are wrong; `errors` names each of them."),
        },
    }


def _state() -> dict[str, Any]:
    comment_id = {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "From the answer to the post.",
        "schema": {"type": "string"},
    }
    return {
        "operationId": "getComment",
        "summary": "Where a comment stands",
        "security": [{}],
        "parameters": [comment_id],
        "responses": {
            "200": _answer("Its status.", CommentState),
            "404": _problem("There is no such comment."),
        },
    }


def _challenge() -> dict[str, Any]:
    return {
        "operationId": "getChallenge",
        "summary": "What a form of a page needs before it may be sent",
        "description": "For browsers that post without a key. A comment without it is held where "
        "the site's settings say so; one is good for one comment.",
        "security": [{}],
        "parameters": _query(SiteQuery),
        "responses": {
            "200": _answer("A token, and work if the site asks for it.", FormChallenge),
            "422": _problem("The site is not known."),
        },
    }


def _form() -> dict[str, Any]:
    return {
        "operationId": "getForm",
        "summary": "Comments and the form of a reply, as a page",
        "description": "For readers without JavaScript: link to it from `<noscript>`.",
        "security": [{}],
        "parameters": _query(FormQuery),
        "responses": {
            "200": {
                "description": "The page.",
                "content": {"text/html": {"schema": {"type": "string"}}},
            },
            "422": _problem("Parameters are wrong; `errors` names each of them."),
        },
    }


def _json_feed() -> dict[str, Any]:
    answer = {"application/feed+json": _content(JsonFeed)}
    return _feed("getJsonFeed", "The latest published comments as JSON Feed", answer)


def _atom() -> dict[str, Any]:
    answer = {"application/atom+xml": {"schema": {"type": "string"}}}
    return _feed("getAtomFeed", "The latest published comments as Atom", answer)


def _feed(name: str, summary: str, answer: dict[str, Any]) -> dict[str, Any]:
    site = {
        "name": "site",
        "in": "path",
        "required": True,
        "description": "The site's name.",
        "schema": {"type": "string"},
    }
    return {
        "operationId": name,
        "summary": summary,
        "description": "Of one page, or of the whole site where its settings say so.",
        "security": [{}],
        "parameters": [site, *_query(FeedQuery), _header("If-None-Match", _ETAG)],
        "responses": {
            "200": {"description": "The newest first.", "content": answer},
            "304": {"description": "Nothing has changed."},
            "403": _problem("The site has no feed of all its comments: name a page."),
            "404": _problem("There is no such site."),
            "422": _problem("Parameters are wrong; `errors` names each of them."),
        },
    }


def _feedback() -> dict[str, Any]:
    return {
        "operationId": "giveFeedback",
        "summary": "Tell what somebody at your site decided about a comment",
        "description": "It counts as a moderator's decision, teaches the model, and stays until "
        "somebody decides anew, here or there.",
        "security": _SITES,
        "parameters": [_comment_id()],
        "requestBody": _body(FeedbackIn),
        "responses": {
            "200": _answer("Where it stands now.", CorrectedState),
            "400": _problem("The body is no JSON object."),
            "401": _problem("The key is not known."),
            "404": _problem("Your site has no such comment."),
            "415": _problem("The body is not JSON."),
            "422": _problem("Fields are wrong; `errors` names each of them."),
        },
    }


def _report() -> dict[str, Any]:
    return {
        "operationId": "report",
        "summary": "Tell that a reader reported a comment",
        "description": "It teaches the model a little, until somebody decides. The comment stays "
        "where it stands.",
        "security": _SITES,
        "parameters": [_comment_id()],
        "requestBody": _body(ReportIn),
        "responses": {
            "200": _answer("Where it stands.", CommentState),
            "400": _problem("The body is no JSON object."),
            "401": _problem("The key is not known."),
            "404": _problem("Your site has no such comment."),
            "415": _problem("The body is not JSON."),
            "422": _problem("Fields are wrong; `errors` names each of them."),
        },
    }


def _score() -> dict[str, Any]:
    return {
        "operationId": "score",
        "summary": "Probabilities, for a site that decides by itself",
        "description": "Of one text, or of up to 100 `comments`. Nothing is stored.",
        "security": _SITES,
        "requestBody": _body(ScoreIn),
        "responses": {
            "200": _answer("What the model says.", ScoresOut),
            "400": _problem("The body is no JSON object."),
            "401": _problem("The key is not known."),
            "413": _problem("The request is too large."),
            "415": _problem("The body is not JSON."),
            "422": _problem("Fields are wrong; `errors` names each of them."),
            "503": _problem("There is no usable model at the moment."),
        },
    }


def _desk() -> dict[str, Any]:
    """The calls of moderators, by path and method."""
    second: dict[str, Any] = {
        "409": _problem("Somebody else decided; nothing was changed.", ConflictProblem)
    }
    nothing: dict[str, Any] = {"404": _problem("There is nothing of yours to take back.")}
    return {
        "/v1/queue": {
            "get": _call("listQueue", "The queue", QueuePage, parameters=_query(QueueAsked))
        },
        "/v1/comments/{id}/card": {
            "get": _of_one("getCard", "A comment as moderators see it", CardOut)
        },
        "/v1/comments/{id}/decision": {
            "post": _of_one("decide", "Decide about a comment", AppliedOut, DecisionIn, **second)
        },
        "/v1/decisions": {
            "post": _call("decideSeveral", "Decide about several", OutcomeOut, DecisionsIn)
        },
        "/v1/decisions/undo": {
            "post": _call("undo", "Take your last decision back", OutcomeOut, **nothing)
        },
        "/v1/comments/{id}/notes": {"post": _of_one("note", "Write a note", CardOut, NoteIn)},
        "/v1/comments/{id}/author": {
            "put": _of_one("setStanding", "Trust or block the author", CardOut, StandingIn)
        },
        "/v1/comments/{id}/email": {
            "post": _of_one("getEmail", "The e-mail address; the look is recorded", EmailOut)
        },
        "/v1/comments/{id}/reader": {
            "put": _of_one("read", "Say that you are reading a comment", ReaderOut),
            "delete": _of_one("leave", "Say that you no longer do", None),
        },
    }


def _events() -> dict[str, Any]:
    return {
        "operationId": "listEvents",
        "summary": "What was done about comments",
        "description": "Of the moderator's sites, the oldest first, two seconds after it was done. "
        "To follow, ask again with `next` of the last answer as `after`: no event comes twice, and "
        "none is left out.",
        "security": _MODERATORS,
        "parameters": _query(EventsFollowed),
        "responses": {
            "200": _answer("Events, the oldest first.", EventPage),
            "401": _problem("The token is not known."),
            "422": _problem("Parameters are wrong; `errors` names each of them."),
        },
    }


def _comment_changed() -> dict[str, Any]:
    signed = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return {
        "operationId": "commentChanged",
        "summary": "The status of a comment has changed",
        "description": "Sent to the webhooks of the site, and again for three days until one "
        "answers 2xx; a message may come twice, with the same `webhook-id`.",
        "parameters": [_header(name, "See Standard Webhooks.") for name in signed],
        "requestBody": {
            "required": True,
            "content": {"application/json": _content(WebhookMessage)},
        },
        "responses": {
            "2XX": {"description": "Taken."},
            "410": {"description": "Send nothing more."},
        },
    }


def _account() -> dict[str, Any]:
    return {
        "operationId": "getAccount",
        "summary": "Whose token you hold",
        "security": _MODERATORS,
        "responses": {
            "200": _answer("The account.", AccountState),
            "401": _problem("There is no token, or it is not known."),
        },
    }


def _of_one(
    name: str,
    summary: str,
    answer: type[BaseModel] | None,
    body: type[BaseModel] | None = None,
    **responses: Any,
) -> dict[str, Any]:
    missing = {"404": _problem("There is no such comment on your sites.")}
    return _call(name, summary, answer, body, parameters=[_comment_id()], **(missing | responses))


def _call(
    name: str,
    summary: str,
    answer: type[BaseModel] | None,
    body: type[BaseModel] | None = None,
    *,
    parameters: list[dict[str, Any]] | None = None,
    **responses: Any,
) -> dict[str, Any]:
    """A call of the moderators."""
    found = {"200": _answer("Done.", answer)} if answer else {"204": {"description": "Done."}}
    found["401"] = _problem("The token is not known.")
    if body or name == "listQueue":
        found["422"] = _problem("Fields are wrong; `errors` names each of them.")
    call: dict[str, Any] = {"operationId": name, "summary": summary, "security": _MODERATORS}
    if parameters:
        call["parameters"] = parameters
    if body:
        call["requestBody"] = _body(body)
        found["400"] = _problem("The body is no JSON object.")
    return call | {"responses": dict(sorted((found | responses).items()))}


def _comment_id() -> dict[str, Any]:
    return {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The comment's id.",
        "schema": {"type": "string"},
    }


def _body(schema: type[BaseModel]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": _content(schema)}}


def _content(schema: type[BaseModel]) -> dict[str, Any]:
    from openapi_pydantic.util import PydanticSchema  # noqa: PLC0415 - see `openapi`

    return {"schema": PydanticSchema(schema_class=schema)}


def _answer(description: str, schema: type[BaseModel]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": _content(schema)}}


def _problem(description: str, schema: type[Problem] = Problem) -> dict[str, Any]:
    return {"description": description, "content": {_PROBLEM: _content(schema)}}


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}


def _query(schema: type[BaseModel]) -> list[dict[str, Any]]:
    """One parameter for each field of `schema`."""
    document = schema.model_json_schema()
    kinds = {name: _plain_kind(shape, document) for name, shape in document["properties"].items()}
    return [
        {
            "name": name,
            "in": "query",
            "required": info.is_required(),
            "description": info.description or "",
            "schema": {k: v for k, v in kinds[name].items() if k in _PARAMETER_KEYWORDS},
        }
        for name, info in schema.model_fields.items()
        if name != "sites"  # what the caller may see is not for the caller to say
    ]


def _plain_kind(shape: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """A field's schema without references and without null, which an address cannot hold."""
    if "$ref" in shape:
        found = document["$defs"][shape["$ref"].rpartition("/")[2]]
        return {"type": found["type"], "enum": found["enum"]} | shape
    if "anyOf" in shape:
        return next(one for one in shape["anyOf"] if one["type"] != "null")
    return shape


def _resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema itself, where it is only referred to; for the page's template."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: dict[str, Any] = openapi()["components"]["schemas"][reference.rpartition("/")[2]]
    return found
