"""Perspective's protocol; tests/clients has the clients themselves."""

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from moderation.db import Database
from moderation.models import Comment, Example, Label
from moderation.scorer import Scorer
from moderation.website.checks import Checks
from moderation.website.perspective import ATTRIBUTES, Analysis, Wrong
from tests.support.comments import held_by_worker, row_of
from tests.support.service import FRIENDLY, SITE_KEY, UNFRIENDLY
from tests.support.web import first_site

web = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
pytestmark = pytest.mark.usefixtures("ready")

GERMAN = "Das ist eine Frage, die man in diesem Lande noch lange stellen wird."


def ask(client: FlaskClient, body: Any, key: str = SITE_KEY, call: str = "analyze") -> Any:
    return client.post(f"/v1alpha1/comments:{call}", query_string={"key": key}, json=body)


def about(text: str, *names: str, **more: Any) -> dict[str, Any]:
    attributes = {name: {} for name in names or ("TOXICITY",)}
    return {"comment": {"text": text}, "requestedAttributes": attributes, **more}


def error(response: Any, kind: str) -> dict[str, Any]:
    assert response.status_code == 400
    found: dict[str, Any] = response.get_json()["error"]
    assert (found["code"], found["status"]) == (400, "INVALID_ARGUMENT")
    (detail,) = found["details"]
    assert detail["@type"] == "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
    assert detail["errorType"] == kind
    return found


def counts(database: Database) -> list[int]:
    with database.read() as connection:
        return [len(connection.execute(select(t.id)).all()) for t in (Comment, Example, Label)]


@web
class TestAnalyzing:
    def test_each_attribute_that_is_asked_for_gets_a_probability(
        self, client: FlaskClient, database: Database
    ) -> None:
        response = ask(client, about(UNFRIENDLY, *ATTRIBUTES, "TOXICITY@6", clientToken="t1"))
        body = response.get_json()
        assert set(body["attributeScores"]) == {*ATTRIBUTES, "TOXICITY@6"}
        insult = body["attributeScores"]["INSULT"]["summaryScore"]
        assert insult["type"] == "PROBABILITY"
        assert insult["value"] > 0.5
        assert (body["languages"], body["clientToken"]) == (["en"], "t1")
        mild = ask(client, about(FRIENDLY, "INSULT")).get_json()["attributeScores"]["INSULT"]
        assert mild["summaryScore"]["value"] < insult["value"]
        assert counts(database) == [0, 0, 0]

    def test_likely_to_reject_is_our_own_probability(self, client: FlaskClient) -> None:
        body = ask(client, about(UNFRIENDLY, "LIKELY_TO_REJECT")).get_json()
        found = body["attributeScores"]["LIKELY_TO_REJECT"]["summaryScore"]["value"]
        headers = {"Authorization": f"Bearer {SITE_KEY}"}
        own = client.post("/v1/score", json={"text": UNFRIENDLY}, headers=headers).get_json()
        assert found == own["scores"][0]["scores"]["reject"]

    def test_a_score_under_the_threshold_is_left_out(self, client: FlaskClient) -> None:
        attributes = {"INSULT": {"scoreThreshold": 0.2}, "THREAT": {"scoreThreshold": 0.99}}
        body = {"comment": {"text": UNFRIENDLY}, "requestedAttributes": attributes}
        assert list(ask(client, body).get_json()["attributeScores"]) == ["INSULT"]

    def test_each_sentence_is_scored_with_its_place_in_utf_16(self, client: FlaskClient) -> None:
        kind, rude = "😀 I like this bridge, it is very old.", "You are an idiot, Zoë!"
        text = f"{kind}  {rude}"
        body = ask(client, about(text, "INSULT", spanAnnotations=True)).get_json()
        first, second = body["attributeScores"]["INSULT"]["spanScores"]
        units = text.encode("utf-16-le")
        parts = [units[2 * s["begin"] : 2 * s["end"]].decode("utf-16-le") for s in (first, second)]
        assert parts == [kind, rude]
        assert first["score"]["value"] < second["score"]["value"]

    def test_html_is_read_as_a_person_does(self, client: FlaskClient) -> None:
        html = "<p>You are an <b>idiot</b> &amp; everybody<br>knows it.</p><!-- kind -->"
        plain = "You are an idiot & everybody knows it."

        def insult(text: str, kind: str) -> float:
            comment = {"text": text, "type": kind}
            body = about(text, "INSULT", spanAnnotations=True) | {"comment": comment}
            scores = ask(client, body).get_json()["attributeScores"]["INSULT"]
            (span,) = scores["spanScores"]
            assert text[span["begin"] : span["end"]].endswith("knows it.")
            return float(scores["summaryScore"]["value"])

        assert insult(html, "HTML") == pytest.approx(insult(plain, "PLAIN_TEXT"), abs=0.05)

    @pytest.mark.parametrize("do_not_store", [True, False, None])
    def test_nothing_is_stored(
        self, client: FlaskClient, database: Database, do_not_store: bool | None
    ) -> None:
        assert ask(client, about(UNFRIENDLY, doNotStore=do_not_store)).status_code == 200
        assert counts(database) == [0, 0, 0]

    @pytest.mark.parametrize("odd", ["\0", "\ud83d", "\u202e", "\r\n\t"])
    def test_odd_characters_are_no_reason_not_to_look(self, client: FlaskClient, odd: str) -> None:
        text = f"{odd}{UNFRIENDLY}{odd}"
        body = ask(client, about(text, "INSULT", spanAnnotations=True)).get_json()
        assert body["attributeScores"]["INSULT"]["summaryScore"]["value"] > 0.3


@web
class TestErrors:
    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (about(""), "COMMENT_EMPTY"),
            (about(" \n "), "COMMENT_EMPTY"),
            ({"requestedAttributes": {"TOXICITY": {}}}, "COMMENT_EMPTY"),
            (about("a" * 20_481), "COMMENT_TOO_LONG"),
            ({"comment": {"text": FRIENDLY}}, "NO_REQUESTED_ATTRIBUTES"),
            (about(FRIENDLY, "FLIRTATION"), "INVALID_REQUEST"),
            (about(FRIENDLY, "SEXUALLY_EXPLICIT@2"), "INVALID_REQUEST"),
            (about(FRIENDLY, languages=["fr"]), "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"),
            (about(GERMAN), "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"),
            (about("zxqv wrtpl"), "LANGUAGE_DETECTION_FAILED"),
            ([], "INVALID_REQUEST"),
            (
                about(FRIENDLY) | {"comment": {"text": FRIENDLY, "type": "MARKDOWN"}},
                "INVALID_REQUEST",
            ),
            (about(FRIENDLY, languages="en"), "INVALID_REQUEST"),
        ],
        ids=range(13),
    )
    def test_they_have_googles_shape(self, client: FlaskClient, body: Any, kind: str) -> None:
        error(ask(client, body), kind)

    def test_the_messages_that_clients_look_for(self, client: FlaskClient) -> None:
        found = error(ask(client, about(FRIENDLY, "FLIRTATION")), "INVALID_REQUEST")
        assert found["message"] == "Unknown requested attribute: FLIRTATION"
        kind = "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
        found = error(ask(client, about(FRIENDLY, "INSULT", languages=["fr"])), kind)
        assert found["message"] == "Attribute INSULT does not support request languages: fr"
        assert found["details"][0]["languageNotSupportedByAttributeError"] == {
            "attribute": "INSULT",
            "requestedLanguages": ["fr"],
        }
        found = error(ask(client, about(GERMAN)), kind)
        assert found["details"][0]["languageNotSupportedByAttributeError"] == {
            "attribute": "TOXICITY",
            "detectedLanguages": ["de"],
        }

    def test_a_text_in_another_language_is_not_judged_by_the_words_it_shares(
        self, client: FlaskClient
    ) -> None:
        french = "Vous êtes vraiment un idiot, monsieur, et tout le monde ici le sait très bien."
        kind = "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
        found = error(ask(client, about(french)), kind)
        assert found["details"][0]["languageNotSupportedByAttributeError"] == {
            "attribute": "TOXICITY",
            "detectedLanguages": ["fr"],
        }

    @pytest.mark.parametrize("key", ["", "wrong"])
    def test_a_bad_key_is_told_in_googles_words(self, client: FlaskClient, key: str) -> None:
        for call in ("analyze", "suggestscore"):
            response = ask(client, about(FRIENDLY), key=key, call=call)
            assert response.status_code == 400
            message = response.get_json()["error"]["message"]
            assert message == "API key not valid. Please pass a valid API key."

    def test_what_is_not_json_is_refused(self, client: FlaskClient) -> None:
        address = f"/v1alpha1/comments:analyze?key={SITE_KEY}"
        assert client.post(address, data="{").status_code == 400
        assert client.post(address, data="x" * 300_000).get_json()["error"]["code"] in (400, 413)


@web
class TestSuggesting:
    def suggest(self, client: FlaskClient, text: str, value: float, **more: Any) -> Any:
        scores = {"SPAM": {"summaryScore": {"value": value}}}
        body = {"comment": {"text": text}, "attributeScores": scores, **more}
        return ask(client, body, call="suggestscore")

    def test_it_teaches(self, client: FlaskClient, database: Database) -> None:
        response = self.suggest(client, FRIENDLY, 1, clientToken="article-7")
        assert response.get_json() == {"clientToken": "article-7", "detectedLanguages": ["en"]}
        self.suggest(client, FRIENDLY, 0, clientToken="article-7")
        with database.read() as connection:
            (example,) = connection.execute(select(Example.__table__)).all()
            labels = connection.execute(select(Label.__table__).order_by(Label.id)).all()
        assert (example.text, example.origin) == (FRIENDLY, "perspective")
        assert [(one.source, one.unwanted) for one in labels] == [("client", 1.0), ("client", 0.0)]

    def test_a_token_that_everything_is_sent_with_mixes_nothing_up(
        self, client: FlaskClient, database: Database
    ) -> None:
        for text, value in ((FRIENDLY, 0), (UNFRIENDLY, 1), ("A \0 and half a \ud83d", 1)):
            assert self.suggest(client, text, value, clientToken="always").status_code == 200
        assert counts(database) == [0, 3, 3]

    @pytest.mark.parametrize("prefix", ["", "comment:"])
    def test_of_a_comment_that_is_here_it_is_a_decision(
        self, client: FlaskClient, database: Database, prefix: str
    ) -> None:
        comment_id = held_by_worker(database, first_site(client))
        self.suggest(client, FRIENDLY, 1, clientToken=f"{prefix}{comment_id}")
        row = row_of(database, comment_id)
        assert (row.status, row.reason) == ("rejected", "spam")
        self.suggest(client, FRIENDLY, 0, clientToken=f"{prefix}{comment_id}")
        assert row_of(database, comment_id).status == "approved"

    @pytest.mark.parametrize(
        "scores", [None, {}, {"SPAM": 1}, {"SPAM": {"summaryScore": {"value": 2}}}]
    )
    def test_without_a_score_it_is_refused(
        self, client: FlaskClient, database: Database, scores: Any
    ) -> None:
        body = {"comment": {"text": FRIENDLY}, "attributeScores": scores}
        error(ask(client, body, call="suggestscore"), "INVALID_REQUEST")
        assert counts(database) == [0, 0, 0]


@web
def test_the_discovery_document_leads_here(client: FlaskClient) -> None:
    found = client.get("/$discovery/rest?version=v1alpha1").get_json()
    assert found["rootUrl"] == "http://localhost/"
    assert set(found["resources"]["comments"]["methods"]) == {"analyze", "suggestscore"}
    assert client.get("/$discovery/rest?version=v2").status_code == 404
    assert client.get("/$discovery/rest?key=wrong").status_code == 400
    assert client.get(f"/$discovery/rest?key={SITE_KEY}").status_code == 200


@given(st.text(max_size=200), st.booleans())
def test_sentences_are_pieces_of_the_text_in_order(text: str, is_html: bool) -> None:
    kind = "HTML" if is_html else "PLAIN_TEXT"
    body = about(text, spanAnnotations=True) | {"comment": {"text": text, "type": kind}}
    try:
        read = Analysis.read(body)
    except Wrong:
        return
    units = text.encode("utf-16-le", "surrogatepass")
    assert read.comment.end == len(units) // 2
    last = 0
    for sentence in read.sentences:
        assert last <= sentence.begin < sentence.end <= len(units) // 2
        last = sentence.begin
        if not is_html:
            part = units[2 * sentence.begin : 2 * sentence.end].decode("utf-16-le", "surrogatepass")
            assert part == sentence.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_a_model_the_caller_is_told_when_to_come_again(
    app: Flask, client: FlaskClient, no_scorer: Scorer
) -> None:
    services = app.extensions["moderation"]
    checks = Checks(services.database, services.submissions, no_scorer)
    app.extensions["moderation"] = replace(services, checks=checks)
    response = ask(client, {"comment": {"text": "Hello."}, "requestedAttributes": {"TOXICITY": {}}})
    assert response.status_code == 503
    assert response.get_json()["error"]["status"] == "UNAVAILABLE"
    assert int(response.headers["Retry-After"]) > 0
