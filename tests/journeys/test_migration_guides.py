"""The migration guides, run as they stand there, each from its first block to its last.

Blocks of `sh`, `python` and, where there is Node, `js` are run; an `output` block says what the one
before has to print.
"""

import gzip
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from moderation.policy import SiteSettings
from moderation.sites import create_site
from tests.support.exports import HEAD
from tests.support.service import ROOT, Service

GUIDES = ROOT / "docs" / "migrating"
ADDRESS = "https://comments.example.org"
KEY = "key-of-who-follows-a-guide"
RUNNERS = {
    "sh": ["bash", "-euo", "pipefail", "-c"],
    "python": [sys.executable, "-c"],
    "js": ["node", "-e"],
}
ENVIRONMENT = {
    "KEY": KEY,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "PYTHONPATH": str(ROOT),
}


def blocks(guide: str) -> Iterator[tuple[str, str, str]]:
    """Each block that runs: its language, its code, and what it has to print; empty where the
    guide does not say."""
    text = (GUIDES / guide).read_text()
    found = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    following = [*found[1:], ("", "")]
    for (language, code), (next_language, output) in zip(found, following, strict=True):
        if language in RUNNERS:
            yield language, code, output if next_language == "output" else ""


def follow(guide: str, service: Service, folder: Path) -> None:
    """Do what a guide says, in a folder that has the files of which it speaks."""
    steps = list(blocks(guide))
    assert len(steps) >= 5
    for language, code, output in steps:
        if shutil.which(RUNNERS[language][0]) is None:
            continue
        done = subprocess.run(
            [*RUNNERS[language], code.replace(ADDRESS, service.url)],
            cwd=folder,
            env=service.environment | ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{code}\n{done.stderr}"
        if output:
            assert done.stdout == output, code
        else:
            assert done.stdout.strip(), code
            assert '"error"' not in done.stdout, code


def test_from_perspective(service: Service, tmp_path: Path) -> None:
    database = service.database()
    with database.write() as connection:
        create_site(connection, name="of-google", key=KEY, settings=SiteSettings())
    database.close()

    follow("from-perspective.md", service, tmp_path)


DISQUS = """\
<disqus xmlns="http://disqus.com" xmlns:dsq="http://disqus.com/disqus-internals">
<category dsq:id="1"><forum>courier</forum><title>General</title></category>
{threads}{posts}</disqus>
"""
THREAD = """\
<thread dsq:id="{number}"><id /><forum>courier</forum><link>{link}</link><title>News</title>
<createdAt>2024-06-05T08:00:00Z</createdAt><isClosed>false</isClosed></thread>
"""
POST = """\
<post dsq:id="{number}">
<id /><message><![CDATA[{message}]]></message><createdAt>2024-06-06T08:00:0{number}Z</createdAt>
<isDeleted>{deleted}</isDeleted><isSpam>{spam}</isSpam>
<author><name>Reader {number}</name><isAnonymous>true</isAnonymous></author>
<thread dsq:id="{thread}" /></post>
"""


def test_from_disqus(service: Service, tmp_path: Path) -> None:
    links = (
        "http://courier.example/bridge",
        "https://courier.example/bridge?utm_source=mail",
        "https://courier.example/boats",
    )
    posts = (
        {"message": "<p>The old bridge had a tram line.</p>", "thread": 1},
        {"message": "<p>Came here from the newsletter.</p>", "thread": 2},
        {"message": "<p>Which boats?</p>", "thread": 3},
        {"message": "<a href='http://pills.example'>pills</a>", "thread": 3, "spam": "true"},
        {"message": "", "thread": 1, "deleted": "true"},
    )
    export = HEAD + DISQUS.format(
        threads="".join(THREAD.format(number=n, link=link) for n, link in enumerate(links, 1)),
        posts="".join(
            POST.format(**{"number": n, "deleted": "false", "spam": "false"} | post)
            for n, post in enumerate(posts, 1)
        ),
    )
    (tmp_path / "export.xml.gz").write_bytes(gzip.compress(export.encode()))

    follow("from-disqus.md", service, tmp_path)


def test_from_isso(service: Service, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "comments.db")) as connection:
        connection.executescript("""
            CREATE TABLE threads (id INTEGER PRIMARY KEY, uri VARCHAR(256) UNIQUE,
                title VARCHAR(256));
            CREATE TABLE comments (tid REFERENCES threads(id), id INTEGER PRIMARY KEY,
                parent INTEGER, created FLOAT NOT NULL, modified FLOAT, mode INTEGER,
                remote_addr VARCHAR, text VARCHAR, author VARCHAR, email VARCHAR, website VARCHAR,
                likes INTEGER DEFAULT 0, dislikes INTEGER DEFAULT 0,
                voters BLOB NOT NULL DEFAULT '', notification INTEGER DEFAULT 0);
            INSERT INTO threads VALUES (1, '/blog/bridge/', 'The bridge'),
                (2, '/blog/boats/', 'Boats');
            INSERT INTO comments (tid, id, parent, created, mode, remote_addr, text, author, email)
            VALUES (1, 1, NULL, 1717660800.5, 1, '203.0.113.0',
                    'The old bridge had a **tram** line.', 'Zoë', 'zoe@example.org'),
                   (1, 2, 1, 1717660801.5, 1, '203.0.113.0', 'It had, until 1961.', 'Per', NULL),
                   (2, 3, NULL, 1717660802.5, 1, '203.0.113.0', 'Which boats?', NULL, NULL),
                   (2, 4, NULL, 1717660803.5, 2, '203.0.113.0', 'These boats.', 'Ann', NULL);
        """)
        connection.commit()

    follow("from-isso.md", service, tmp_path)
