"""Other services' clients, as their authors made them, against a running service.

Those of npm need Node and what `make .venv/node` installs. Without Node they do not run; `.ci/run`
installs it.
"""

import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import akismet
import httplib2
import httpx
import pytest
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from sqlalchemy import select

from moderation.models import Comment, Example, Label
from tests.support.forward_proxy import ForwardProxy, running_proxy
from tests.support.service import FRIENDLY, UNFRIENDLY, Service, running_service

KEY = "c0ffee123456"
BLOG = "https://news.example/"
THANKS = "Thanks for making the web a better place."
HERE = Path(__file__).parent

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node here")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("clients") / "home"
    with running_service(home, site_key=KEY) as running:
        running.wait_until_warm()
        yield running


@pytest.fixture(scope="module")
def proxy(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForwardProxy]:
    with running_proxy(tmp_path_factory.mktemp("proxy"), ("127.0.0.1", service.port)) as running:
        yield running


def node(script: str, *arguments: str, **environment: str) -> Any:
    """What the script printed."""
    done = subprocess.run(
        ["node", script, *arguments],
        cwd=HERE,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rows(service: Service, table: Any) -> list[Any]:
    database = service.database()
    with database.read() as connection:
        found = list(connection.execute(select(table.__table__).order_by(table.id)))
    database.close()
    return found


class TestAkismet:
    def test_python(self, service: Service, proxy: ForwardProxy) -> None:
        def http() -> httpx.Client:
            # Its fixed address is reached through the proxy; `key-sites` gets its key by the host.
            return httpx.Client(
                proxy=proxy.url,
                verify=ssl.create_default_context(cafile=proxy.certificate),
                headers={"Host": f"{KEY}.rest.akismet.com", "User-Agent": akismet.USER_AGENT},
                timeout=30,
            )

        config = akismet.Config(key=KEY, url=BLOG)
        with akismet.SyncClient.validated_client(config=config, http_client=http()) as site:
            comment = {
                "comment_type": "comment",
                "comment_author": "Per",
                "comment_author_email": "per@example.org",
                "permalink": f"{BLOG}python",
            }
            good = comment | {"comment_content": f"{FRIENDLY} So it does in Norway."}
            bad = comment | {"comment_content": f"{UNFRIENDLY} Even in Norway."}
            where = {"user_ip": "198.51.100.1"}
            assert site.comment_check(**where, **good) == akismet.CheckResponse.HAM
            assert site.comment_check(**where, **bad) == akismet.CheckResponse.SPAM
            test = {"is_test": True, "comment_author": "akismet-guaranteed-spam"}
            assert site.comment_check(**where, **test) == akismet.CheckResponse.SPAM
            test = {"is_test": True, "user_role": "administrator"}
            assert site.comment_check(**where, **test) == akismet.CheckResponse.HAM
            assert site.submit_spam(**where, **good)
            assert site.submit_ham(**where, **bad)
            assert site.usage_limit()["usage"] >= 2
            sites = site.key_sites()
            assert next(iter(sites.values()))[0]["site"] == "demo"
            assert "demo" in site.key_sites(result_format="csv")
            assert not site.verify_key("0123456789ab", BLOG)
        with http() as another, pytest.raises(akismet.APIKeyError):
            akismet.SyncClient.validated_client(
                config=akismet.Config(key="0123456789ab", url=BLOG), http_client=another
            )
        theirs = [row for row in rows(service, Comment) if row.name == "Per"]
        assert [row.status for row in theirs] == ["rejected", "approved"]
        said = {row.comment_id: row for row in rows(service, Label)}
        assert [said[row.id].unwanted for row in theirs] == [1.0, 0.0]

    @needs_node
    def test_node(self, service: Service) -> None:
        good = "Thank you. It's true that my grandfather helped to build the landing, years ago."
        bad = f"{UNFRIENDLY} It's so."
        found = node("akismet.js", f"localhost:{service.port}", KEY, good, bad)
        assert found == {
            "valid": True,
            "invalid": False,
            "good": False,
            "bad": True,
            "honeypot": True,
            "test": True,
            "administrator": False,
            "stranger": "error: Invalid API key",
            "nowhere": "error: Invalid API key",
            "spam": THANKS,
            "ham": THANKS,
        }
        theirs = [row for row in rows(service, Comment) if row.name == "Zoë O'Hara"]
        assert [row.status for row in theirs] == ["rejected", "approved", "rejected"]

    def test_an_old_client_may_speak_http_1_0(self, service: Service) -> None:
        body = f"key={KEY}&blog={BLOG}".encode()
        with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
            connection.sendall(
                b"POST /1.1/verify-key HTTP/1.0\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert b" 200 " in answer.partition(b"\r\n")[0]
        assert answer.endswith(b"\r\n\r\nvalid")


class TestPerspective:
    def test_googles_own_client(self, service: Service) -> None:
        def made(key: str, http: httplib2.Http) -> Any:
            return build(
                "commentanalyzer",
                "v1alpha1",
                http=http,
                developerKey=key,
                discoveryServiceUrl=f"{service.url}/$discovery/rest?version=v1alpha1",
                static_discovery=False,
                cache_discovery=False,
            )

        with closing(httplib2.Http()) as http:
            site = made(KEY, http)
            asked = {
                "comment": {"text": UNFRIENDLY},
                "requestedAttributes": {"TOXICITY": {}, "INSULT@2": {}},
                "spanAnnotations": True,
                "doNotStore": True,
                "languages": ["en"],
            }
            found = site.comments().analyze(body=asked).execute()
            scores = found["attributeScores"]
            assert set(scores) == {"TOXICITY", "INSULT@2"}
            assert scores["INSULT@2"]["summaryScore"]["value"] > 0.5
            assert len(scores["TOXICITY"]["spanScores"]) == 1
            said = {
                "comment": {"text": "What google's client said"},
                "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}},
                "clientToken": "token-1",
            }
            answer = site.comments().suggestscore(body=said).execute()
            assert answer["clientToken"] == "token-1"
            untrained = {"comment": {"text": UNFRIENDLY}, "requestedAttributes": {"FLIRTATION": {}}}
            with pytest.raises(HttpError, match="Unknown requested attribute: FLIRTATION"):
                site.comments().analyze(body=untrained).execute()
        assert [row.text for row in rows(service, Example)] == ["What google's client said"]
        with closing(httplib2.Http()) as http, pytest.raises(HttpError, match="API key not valid"):
            made("wrong", http)

    @needs_node
    def test_two_clients_of_node(self, proxy: ForwardProxy) -> None:
        found = node(
            "perspective.js",
            KEY,
            UNFRIENDLY,
            https_proxy=proxy.url,
            NODE_EXTRA_CA_CERTS=str(proxy.certificate),
        )

        def value(name: str, attribute: str) -> float:
            return float(found[name]["attributeScores"][attribute]["summaryScore"]["value"])

        assert value("toxicity", "TOXICITY") > 0.5
        assert value("several", "INSULT") > value("several", "THREAT")
        assert (found["whole"]["attributeScores"], found["whole"]["clientToken"]) == ({}, "t1")
        assert value("truncated", "TOXICITY") > 0.5
        assert "Unknown requested attribute: FLIRTATION" in found["untrained"]
        assert "Comment must be non-empty." in found["empty"]
        assert "API key not valid" in found["stranger"]
        assert set(found["another"]) == {"SPAM", "TOXICITY"}
        assert "400" in found["french"]
