"""How long a million comments of a WordPress export take to come in, and in how much memory.

    python -m benchmarks.importing [--comments 1000000] [--history]

The file is made up in a temporary folder, and imported there into an SQLite database. Dry run and
import are processes of their own, so that the memory of each is its own.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from moderation.clock import now_ms
from moderation.db import Database
from moderation.imports import Format
from moderation.policy import SiteSettings
from moderation.records.importing import Wish, bring_in
from moderation.sites import create_site

_WORDS = (Path(__file__).with_name("words.txt")).read_text().split()

_COMMENT = """<wp:comment><wp:comment_id>{n}</wp:comment_id>
<wp:comment_author><![CDATA[Reader {who}]]></wp:comment_author>
<wp:comment_author_email><![CDATA[reader{who}@example.org]]></wp:comment_author_email>
<wp:comment_author_url></wp:comment_author_url>
<wp:comment_author_IP><![CDATA[192.0.2.1]]></wp:comment_author_IP>
<wp:comment_date_gmt><![CDATA[2024-01-{day:02} 08:00:00]]></wp:comment_date_gmt>
<wp:comment_content><![CDATA[{text}]]></wp:comment_content>
<wp:comment_approved><![CDATA[{approved}]]></wp:comment_approved>
<wp:comment_type><![CDATA[comment]]></wp:comment_type>
<wp:comment_parent>{parent}</wp:comment_parent>
<wp:comment_user_id>0</wp:comment_user_id></wp:comment>
"""

_PER_PAGE = 1_000


def main() -> None:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comments", type=int, default=1_000_000)
    parser.add_argument("--history", action="store_true")
    parser.add_argument("--step", choices=("dry", "import", "again"))
    parser.add_argument("--folder", type=Path)
    wanted = parser.parse_args()
    if wanted.step:
        _measure(wanted.folder, history=wanted.history, dry=wanted.step == "dry")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _prepare(folder, wanted.comments)
        print(f"{wanted.comments:,} comments, {_file(folder).stat().st_size / 2**20:,.0f} MB")
        for step in ("dry", "import", "again"):
            command = [sys.executable, "-m", "benchmarks.importing", "--step", step]
            command += ["--folder", name, *(["--history"] if wanted.history else [])]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            print(f"{step}: {done.stdout.strip()}")


def _file(folder: Path) -> Path:
    return folder / "export.xml"


def _prepare(folder: Path, comments: int) -> None:
    random = Random(1)
    with _file(folder).open("w") as file:
        file.write('<rss xmlns:wp="http://wordpress.org/export/1.2/"><channel>\n')
        for n in range(1, comments + 1):
            if n % _PER_PAGE == 1:
                page = f"https://news.example/{n // _PER_PAGE}"
                file.write(f"<item><title>Page</title><link>{page}</link>\n")
            file.write(_comment(random, n))
            if n % _PER_PAGE == 0 or n == comments:
                file.write("</item>\n")
        file.write("</channel></rss>\n")
    database = Database(f"sqlite:///{folder / 'db.sqlite3'}")
    database.migrate()
    with database.write() as connection:
        create_site(connection, name="news", key="key-of-the-site", settings=SiteSettings())
    database.close()


def _comment(random: Random, n: int) -> str:
    return _COMMENT.format(
        n=n,
        who=n % 5_000,
        day=1 + n % 28,
        text=" ".join(random.choices(_WORDS, k=50)),
        approved=random.choice(("1", "1", "1", "trash", "0")),
        parent=n - 1 if n % 3 == 0 else 0,
    )


def _measure(folder: Path, *, history: bool, dry: bool) -> None:
    database = Database(f"sqlite:///{folder / 'db.sqlite3'}", pool_size=1)
    wish = Wish(
        path=_file(folder), form=Format.WORDPRESS, site_id=1, origin="wordpress", history=history
    )
    before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, now_ms()
    cpu = time.process_time()
    report = bring_in(database, wish, dry=dry)
    seconds, cpu = (now_ms() - begin) / 1_000, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{seconds:.0f} s ({cpu:.0f} s of the processor), {peak / 1024:.0f} MB at most, "
        f"{before / 1024:.0f} MB before; {report.new:,} new, {report.known:,} known, "
        f"{sum(found[0] for found in report.skipped.values()):,} skipped {report.damage}"
    )


if __name__ == "__main__":
    main()
