"""What comes in of an export: once, as examples or with its history, whatever happens meanwhile."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from moderation.db import Database
from moderation.domain import ActorKind, LabelSource, Selection, Status
from moderation.imports import Format
from moderation.learning import labels
from moderation.models import Comment, Example, Label, Thread
from moderation.records import erasure, importing
from moderation.records.importing import Report, Wish, bring_in
from moderation.review import Actor, Change, set_status
from moderation.submissions import author_id
from moderation.website import threads
from tests.support.comments import MODERATOR, add_comment, add_site, events_of, row_of
from tests.support.exports import PAGE, disqus, post, wp_comment, written, wxr


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database)


def wish(path: Path, site: int, **changes: Any) -> Wish:
    values = {"form": Format.WORDPRESS, "origin": "wordpress"} | changes
    return Wish(path=path, site_id=site, **values)


def count(database: Database, table: Any) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def effective(database: Database, site: int) -> dict[str, Any]:
    with database.read() as connection:
        return {one.text: one for one in labels.effective(connection, site)}


def imported_rows(database: Database) -> dict[str, Any]:
    """The comments that came with their history, by their number there."""
    with database.read() as connection:
        rows = connection.execute(select(Comment.__table__).order_by(Comment.id)).all()
    return {row.idempotency_key.rpartition(":")[2]: row for row in rows}


def test_a_dry_run_tells_what_would_come_in_and_changes_nothing(
    database: Database, site: int, tmp_path: Path
) -> None:
    path = written(
        tmp_path / "wp.xml",
        wxr(wp_comment(1), wp_comment(2, "spam"), wp_comment(3, "trash"), wp_comment(4, "0"))
        + "<cut off",
    )

    report = bring_in(database, wish(path, site), dry=True)

    assert (report.published, report.unwanted, report.weak) == (1, 2, 1)
    assert report.skipped == {"nobody has decided about it there": [1, 8]}
    assert "line 10" in report.damage
    assert count(database, Example) == count(database, Label) == count(database, Comment) == 0


def test_examples_come_in_with_labels_and_without_addresses(
    database: Database, site: int, tmp_path: Path
) -> None:
    path = written(tmp_path / "wp.xml", wxr(wp_comment(1), wp_comment(2, "spam")))

    report = bring_in(database, wish(path, site), dry=False)

    assert (report.new, report.damage) == (2, "")
    found = effective(database, site)
    spam = found["What number 2 has to say."]
    assert (spam.unwanted, spam.strength, spam.reason) == (1.0, 0.8, "spam")
    assert (spam.source, spam.actor) == (LabelSource.IMPORT, "wordpress")
    assert (spam.selection, spam.page) == (Selection.IMPORTED, PAGE)
    assert spam.at == spam.created_at == 1_717_660_802_000
    with database.read() as connection:
        rows = connection.execute(select(Example.__table__)).all()
    assert "zoe@example.org" not in repr(rows)
    assert count(database, Comment) == 0


def test_a_second_run_brings_what_is_new_and_labels_that_changed(
    database: Database, site: int, tmp_path: Path
) -> None:
    path = written(tmp_path / "wp.xml", wxr(wp_comment(1), wp_comment(2)))
    bring_in(database, wish(path, site), dry=False)
    written(path, wxr(wp_comment(1), wp_comment(2, "spam"), wp_comment(3)))

    for expected in (Report(published=1, known=1, changed=1), Report(known=3)):
        assert bring_in(database, wish(path, site), dry=True) == expected
        assert bring_in(database, wish(path, site), dry=False) == expected

    assert count(database, Example) == 3
    judged = {text: one.unwanted for text, one in effective(database, site).items()}
    assert judged["What number 2 has to say."] == 1
    assert bring_in(database, wish(path, site, origin="other blog"), dry=False).new == 3


def test_pages_get_the_addresses_that_the_site_asks_for(
    database: Database, site: int, tmp_path: Path
) -> None:
    moved, longer, elsewhere = "http://old.example/a=b", "http://old.example/new/c", "/d"
    pages = {"http://old.example/": "https://courier.example/", "http://old.example/new": ""}
    path = tmp_path / "table.csv"
    rows = [f"{n},text {n},ok,{page}" for n, page in enumerate((moved, longer, elsewhere, moved))]
    written(path, "\n".join(["id,text,label,page", *rows]))
    table = wish(path, site, form=Format.TABLE, history=True, pages=pages)

    report = bring_in(database, table, dry=True)
    assert report.pages == ["https://courier.example/a=b", "/c", "/d"]
    assert bring_in(database, table, dry=False) == report

    with database.read() as connection:
        found = connection.scalars(select(Thread.page).order_by(Thread.id)).all()
    assert list(found) == report.pages


def test_an_id_that_comes_twice_in_a_file_comes_in_once(
    database: Database, site: int, tmp_path: Path
) -> None:
    path = written(tmp_path / "wp.xml", wxr(wp_comment(1), wp_comment(1, content="Again.")))

    report = bring_in(database, wish(path, site), dry=False)

    assert report.new == 1
    assert report.skipped == {"its id came before in this file": [1, 6]}


def test_how_far_it_is_is_told_until_all_is_read(
    database: Database, site: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_BATCH", 2)
    path = written(tmp_path / "wp.xml", wxr(*(wp_comment(n) for n in range(1, 400))))
    shares: list[float] = []

    bring_in(database, wish(path, site), dry=False, progress=lambda share, _: shares.append(share))

    assert shares == sorted(shares)
    assert len(set(shares)) > 2
    assert 0 < shares[0] < shares[-1] <= 1


def test_what_is_interrupted_goes_on_where_it_stopped(
    database: Database, site: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_BATCH", 2)
    path = written(tmp_path / "wp.xml", wxr(*(wp_comment(n) for n in range(1, 6))))

    def stop(_share: float, report: Report) -> None:
        if report.new == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring_in(database, wish(path, site), dry=False, progress=stop)
    assert count(database, Example) == 4

    assert bring_in(database, wish(path, site), dry=False) == Report(published=1, known=4)


def test_a_file_that_is_cut_off_brings_what_was_read_of_it(
    database: Database, site: int, tmp_path: Path
) -> None:
    path = written(tmp_path / "wp.xml", wxr(wp_comment(1), wp_comment(2))[:-100])

    report = bring_in(database, wish(path, site), dry=False)

    assert report.new == count(database, Example) == 1
    assert "cut off" in report.damage


def test_history_comes_in_with_threads_times_names_and_events(
    database: Database, site: int, tmp_path: Path
) -> None:
    texts = wxr(
        wp_comment(1),
        wp_comment(2, parent=1, author="Ann", author_email=""),
        wp_comment(3, "spam", author="Pills"),
    )
    path = written(tmp_path / "wp.xml", texts)

    report = bring_in(database, wish(path, site, history=True), dry=False)

    assert (report.published, report.unwanted) == (2, 1)
    with database.read() as connection:
        page = threads.published(connection, site_id=site, page=PAGE, after="", limit=9)
    (first,) = page.comments
    (answer,) = first.replies
    assert (first.name, first.created_at.isoformat()) == ("Zoë", "2024-06-06T08:00:01+00:00")
    assert (answer.name, answer.parent) == ("Ann", first.id)
    spam = imported_rows(database)["3"]
    assert (spam.status, spam.reason, spam.email) == ("rejected", "spam", "zoe@example.org")
    (event,) = events_of(database, spam.id)
    assert (event.actor_kind, event.actor) == (ActorKind.IMPORT, "wordpress")
    assert (event.from_status, event.to_status) == ("pending", "rejected")
    assert effective(database, site)["What number 3 has to say."].key == spam.id
    authors = {number: row.author_id for number, row in imported_rows(database).items()}
    assert authors["1"] == authors["3"] == author_id(site, "zoe@example.org") != authors["2"]
    again = bring_in(database, wish(path, site, history=True), dry=False)
    assert again == Report(known=3, pages=[PAGE])


def test_answers_that_come_before_what_they_answer_find_it(
    database: Database, site: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_BATCH", 2)
    circle = [wp_comment(8, parent=9), wp_comment(9, parent=8)]
    texts = [wp_comment(n, parent=n - 1) for n in range(5, 0, -1)]
    path = written(tmp_path / "wp.xml", wxr(*texts, *circle))

    bring_in(database, wish(path, site, history=True), dry=False)

    rows = imported_rows(database)
    assert {rows[str(n)].root_id for n in range(1, 6)} == {rows["1"].id}
    assert [rows[str(n)].parent_id for n in range(2, 6)] == [rows[str(n)].id for n in range(1, 5)]
    with database.read() as connection:
        page = threads.published(connection, site_id=site, page=PAGE, after="", limit=9)
    depth, node = 1, page.comments[0]
    while node.replies:
        depth, node = depth + 1, node.replies[0]
    assert depth == 5


def test_what_changed_there_moves_here_unless_somebody_here_has_decided(
    database: Database, site: int, tmp_path: Path
) -> None:
    path = written(tmp_path / "wp.xml", wxr(wp_comment(1), wp_comment(2)))
    bring_in(database, wish(path, site, history=True), dry=False)
    rows = imported_rows(database)
    with database.write() as connection:
        change = Change(comment_id=rows["2"].id, to=Status.APPROVED, reason="")
        set_status(connection, [change], actor=MODERATOR)
    written(path, wxr(wp_comment(1, "spam"), wp_comment(2, "spam")))

    report = bring_in(database, wish(path, site, history=True), dry=False)

    assert report.changed == 2
    assert row_of(database, rows["1"].id).status == Status.REJECTED
    assert row_of(database, rows["2"].id).status == Status.APPROVED
    assert effective(database, site)["What number 2 has to say."].unwanted == 0


def test_an_import_moves_nothing_that_it_has_not_seen(database: Database, site: int) -> None:
    comment = add_comment(database, site, status=Status.HELD)
    actor = Actor(ActorKind.IMPORT, "wordpress")
    with database.write() as connection:
        for version in (None, 0):
            change = Change(comment_id=comment, to=Status.APPROVED, reason="", seen_version=version)
            assert set_status(connection, [change], actor=actor) == []


def test_what_was_an_example_and_comes_with_its_history_teaches_once(
    database: Database, site: int, tmp_path: Path
) -> None:
    path = written(tmp_path / "wp.xml", wxr(wp_comment(1)))
    bring_in(database, wish(path, site), dry=False)

    assert bring_in(database, wish(path, site, history=True), dry=False).new == 1

    with database.read() as connection:
        (label,) = labels.effective(connection, site)
    assert label.key == imported_rows(database)["1"].id
    assert bring_in(database, wish(path, site), dry=False) == Report(known=1)


def test_history_needs_a_page(database: Database, site: int, tmp_path: Path) -> None:
    text = disqus(post(1, "Well said.").replace('<thread dsq:id="10"/>', ""))
    path = written(tmp_path / "disqus.xml", text)
    disqus_wish = wish(path, site, form=Format.DISQUS, origin="disqus", history=True)

    report = bring_in(database, disqus_wish, dry=False)

    assert report.skipped == {"no page, below which it could stand": [1, 5]}


@pytest.mark.parametrize("history", [False, True])
def test_what_is_erased_here_stays_out(
    database: Database, site: int, tmp_path: Path, history: bool
) -> None:
    path = written(tmp_path / "wp.xml", wxr(wp_comment(1)))
    bring_in(database, wish(path, site, history=history), dry=False)
    with database.write() as connection:
        if history:
            erasure.erase(connection, [imported_rows(database)["1"].id], actor=MODERATOR)
        else:
            found = erasure.examples_named(connection, site, ["Zoë"])
            assert erasure.erase_examples(connection, found) == 1
    written(path, wxr(wp_comment(1, "spam")))

    for again in (history, not history):
        report = bring_in(database, wish(path, site, history=again), dry=False)
        assert report == Report(erased=1, pages=[PAGE] if again else [])
    assert effective(database, site) == {}
