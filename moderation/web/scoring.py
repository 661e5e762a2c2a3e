"""Probabilities for a site that decides by itself; nothing is stored."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from moderation.classifier.language import detect
from moderation.classifier.prediction import REJECT, Document, Explanation, Prediction
from moderation.policy import short
from moderation.schemas import parse
from moderation.scorer import explain_each
from moderation.web.context import json_object, services
from moderation.web.keys import keyed_site
from moderation.website.checks import Scored
from moderation.website.client_schemas import ScoreIn, ScoreOut, ScoresOut, SpanOut, TextIn, WhyOut

blueprint = Blueprint("scoring", __name__, url_prefix="/v1/score")


@blueprint.post("")
def score() -> ResponseReturnValue:
    """What the model says of one text or several."""
    site = keyed_site()
    wanted = parse(ScoreIn, json_object())
    texts = wanted.texts
    documents = [Document(one.text, one.name, one.website) for one in texts]
    scored = services().checks.score(documents, site)
    reasons = _explanations(scored, documents) if wanted.explain else [None] * len(texts)
    found = ScoresOut(
        model=scored.classifier.version,
        scores=[
            _score(text, prediction, explanation, scored.classifier.languages)
            for text, prediction, explanation in zip(
                texts, scored.predictions, reasons, strict=True
            )
        ],
    )
    return jsonify(found.model_dump(mode="json")), {"Cache-Control": "no-store"}


def _explanations(scored: Scored, documents: list[Document]) -> list[Explanation | None]:
    heads = [p.summed(REJECT) if p else REJECT for p in scored.predictions]
    return explain_each(scored.classifier, documents, heads, scored.reading)


def _score(
    text: TextIn,
    prediction: Prediction | None,
    explanation: Explanation | None,
    languages: tuple[str, ...],
) -> ScoreOut:
    able = prediction is not None and prediction.able
    sole = languages[0] if able and len(languages) == 1 else ""
    return ScoreOut(
        scores=_scores(prediction) if prediction else None,
        able=able,
        language=detect(text.text) or sole,
        explanation=_why(explanation) if explanation else None,
    )


def _scores(prediction: Prediction) -> dict[str, float]:
    scores = {REJECT: prediction.reject} | {str(r): p for r, p in prediction.reasons.items()}
    return {head: short(probability) for head, probability in scores.items()}


def _why(explanation: Explanation) -> WhyOut:
    return WhyOut(
        head=explanation.head,
        spans=[
            SpanOut(start=span.start, end=span.end, weight=short(span.weight))
            for span in explanation.spans
        ],
    )
