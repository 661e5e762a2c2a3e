"""Perspective's protocol (v1alpha1), for sites that asked Google. See docs/perspective.md.

Nothing of what is analyzed is stored, with `doNotStore` or without.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import Connection
from werkzeug.exceptions import HTTPException

from moderation.classifier.language import detect
from moderation.classifier.prediction import REJECT, Document, Prediction
from moderation.domain import Status
from moderation.errors import Overloaded
from moderation.policy import short
from moderation.sites import SiteRef
from moderation.web import problems
from moderation.web.context import services
from moderation.web.perspective_discovery import document
from moderation.website import feedback, perspective
from moderation.website.perspective import Analysis, Sentence, Suggestion, Wrong
from moderation.website.sent import Sent

blueprint = Blueprint("perspective", __name__)

_ERROR = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
_BAD_KEY = "API key not valid. Please pass a valid API key."

# A comment's id where the caller asks about one: Coral says "comment:ID".
_COMMENT = "comment:"


class _BadKeyError(Exception):
    pass


@blueprint.post("/v1alpha1/comments:analyze")
def analyze() -> Response:
    """Probabilities of the attributes that were asked for."""
    site = _site()
    wanted = Analysis.read(_body())
    parts, predictions, languages, detected = _read(wanted, site)
    scores = {}
    for name, attribute in wanted.attributes.items():
        summary, *found = [_probability(prediction, attribute.head) for prediction in predictions]
        if attribute.threshold is not None and summary < attribute.threshold:
            continue
        spans = zip(parts[1:], found, strict=True) if found else [(parts[0], summary)]
        scores[name] = {
            "spanScores": [
                {"begin": part.begin, "end": part.end, "score": _score(value)}
                for part, value in spans
            ],
            "summaryScore": _score(summary),
        }
    answer: dict[str, Any] = {"attributeScores": scores, "languages": languages}
    if detected:
        answer["detectedLanguages"] = [detected]
    if wanted.client_token:
        answer["clientToken"] = wanted.client_token
    return jsonify(answer)


@blueprint.post("/v1alpha1/comments:suggestscore")
def suggest_score() -> Response:
    """A label of the site's own moderators."""
    site = _site()
    said = Suggestion.read(_body())
    to = Status.REJECTED if said.unwanted >= 0.5 else Status.APPROVED
    with services().database.write() as connection:
        comment_id = _meant(connection, site, said)
        if comment_id is not None:
            feedback.correct(
                connection,
                site_id=site.id,
                comment_id=comment_id,
                to=to,
                reason=said.reason,
                by=perspective.PROTOCOL,
            )
        else:
            feedback.teach(
                connection,
                site_id=site.id,
                origin=perspective.PROTOCOL,
                # Not the token: some clients send the same one with everything.
                origin_id=Sent(perspective.PROTOCOL, said.text).digest,
                text=said.text,
                unwanted=said.unwanted,
                reason=said.reason,
            )
    answer: dict[str, Any] = {"clientToken": said.client_token} if said.client_token else {}
    language = detect(said.text)
    if language:
        answer["detectedLanguages"] = [language]
    return jsonify(answer)


def _meant(connection: Connection, site: SiteRef, said: Suggestion) -> str | None:
    """The stored comment that is spoken of: the one that the token names, or one of Coral's with
    this text."""
    named = said.client_token.removeprefix(_COMMENT)
    if feedback.has_comment(connection, site.id, named):
        return named
    found = Sent(perspective.CORAL, said.text).find(connection, site.id)
    return None if found is None else str(found.id)


@blueprint.get("/$discovery/rest")
def discovery() -> Response:
    """What Google's own client is built from."""
    if request.args.get("key"):
        _site()
    if request.args.get("version", "v1alpha1") != "v1alpha1":
        return _error(404, "Version not found.", "NOT_FOUND", [])
    settings = services().settings
    root = settings.public_url.rstrip("/") or request.host_url.rstrip("/")
    return jsonify(document(f"{root}/"))


@blueprint.errorhandler(Wrong)
def _wrong(error: Wrong) -> Response:
    detail = {"@type": _ERROR, "errorType": error.kind, **error.details}
    return _error(400, str(error), "INVALID_ARGUMENT", [detail])


@blueprint.errorhandler(_BadKeyError)
def _bad_key(_: _BadKeyError) -> Response:
    reason = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
    }
    return _error(400, _BAD_KEY, "INVALID_ARGUMENT", [reason])


@blueprint.errorhandler(Exception)
def _failed(error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return _error(error.code or 500, error.description or error.name, "INVALID_ARGUMENT", [])
    if isinstance(error, Overloaded):
        refusal = _error(503, str(error), "UNAVAILABLE", [])
        refusal.headers["Retry-After"] = str(error.seconds)
        return refusal
    problems.note(error)
    return _error(500, "Internal error encountered.", "INTERNAL", [])


def _error(code: int, message: str, status: str, details: list[Any]) -> Response:
    error: dict[str, Any] = {"code": code, "message": message, "status": status}
    if details:
        error["details"] = details
    response = jsonify({"error": error})
    response.status_code = code
    return response


def _site() -> SiteRef:
    key = request.args.get("key") or request.headers.get("X-Goog-Api-Key", "")
    site = services().sites.by_key(key)
    if site is None:
        raise _BadKeyError
    return site


def _body() -> Mapping[str, Any]:
    # Not every client says that it sends JSON.
    sent = request.get_json(force=True, silent=True)
    if not isinstance(sent, dict):
        raise Wrong("Invalid JSON payload received.", "INVALID_REQUEST")
    return sent


def _read(
    wanted: Analysis, site: SiteRef
) -> tuple[list[Sentence], Sequence[Prediction], list[str], str]:
    """The whole text and, if they were asked for, its sentences; what the model says of each; the
    languages they were judged in, and the one that was found.

    Raises:
        Wrong: the model cannot judge this text.
    """
    whole = wanted.comment
    parts = [whole, *(wanted.sentences if wanted.span_annotations else ())]
    scored = services().checks.score([Document(part.text) for part in parts], site)
    known = scored.classifier.languages
    _refuse_languages(wanted, wanted.languages, known, "requestedLanguages")
    predictions = [prediction for prediction in scored.predictions if prediction is not None]
    if len(predictions) < len(parts):
        raise Overloaded("the model failed on this comment")
    detected = detect(whole.text)
    if detected and not (wanted.languages and predictions[0].able):
        _refuse_languages(wanted, [detected], known, "detectedLanguages")
    if not predictions[0].able:
        raise Wrong("Unable to detect the language of the comment.", "LANGUAGE_DETECTION_FAILED")
    return parts, predictions, wanted.languages or [detected or known[0]], detected


def _refuse_languages(
    wanted: Analysis, languages: Sequence[str], known: Sequence[str], which: str
) -> None:
    foreign = [language for language in languages if language not in known]
    if not foreign:
        return
    name = next(iter(wanted.attributes))
    raise Wrong(
        f"Attribute {name} does not support request languages: {', '.join(foreign)}",
        "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
        languageNotSupportedByAttributeError={"attribute": name, which: list(languages)},
    )


def _probability(prediction: Prediction, head: str) -> float:
    if head == REJECT:
        return prediction.reject
    return next(p for reason, p in prediction.reasons.items() if reason == head)


def _score(value: float) -> dict[str, Any]:
    return {"value": short(value), "type": "PROBABILITY"}
