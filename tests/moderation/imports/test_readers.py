"""What each reader makes of a file, and what it refuses."""

import gzip
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moderation.imports import DamagedFile, Format, Imported, Skipped, Source, detect, read
from moderation.imports.records import PERSON, STATE, WEAK
from tests.support.exports import PAGE, disqus, post, wp_comment, written, wxr

Found = list[Imported | Skipped]
Reading = Callable[..., Found]


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    """Reads a text as a file."""

    def read_text(text: str | bytes, form: Format | None = None, **more: Any) -> Found:
        path = tmp_path / "export"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return found_in(path, form, **more)

    return read_text


def found_in(path: Path, form: Format | None = None, **more: Any) -> Found:
    source = Source(path, more.pop("encoding", None))
    return list(read(source, form or detect(source), **more))


def comments(found: Found) -> list[Imported]:
    return [one for one in found if isinstance(one, Imported)]


def skipped(found: Found) -> dict[str, list[int]]:
    reasons: dict[str, list[int]] = {}
    for one in found:
        if isinstance(one, Skipped):
            reasons.setdefault(one.reason, []).append(one.line)
    return reasons


def test_a_comment_of_wordpress_has_all_that_the_export_tells(reading: Reading) -> None:
    text = wxr(wp_comment(3, author_url="https://zoe.example", parent=2))

    (one,) = comments(reading(text))

    assert one == Imported(
        origin_id="3",
        line=5,
        text="What number 3 has to say.",
        verdict=one.verdict,
        name="Zoë",
        email="zoe@example.org",
        website="https://zoe.example",
        page=PAGE,
        page_title="The bridge",
        parent="2",
        created_at=1_717_660_803_000,
        ip="203.0.113.7",
    )


@pytest.mark.parametrize(
    ("approved", "meta", "unwanted", "strength", "reason"),
    [
        ("1", {}, 0, STATE, ""),
        ("spam", {}, 1, STATE, "spam"),
        ("trash", {}, 1, WEAK, ""),
        ("post-trashed", {}, 1, WEAK, ""),
        ("spam", {"akismet_result": "true"}, 1, WEAK, "spam"),
        ("1", {"akismet_result": "false"}, 0, STATE, ""),
        ("1", {"akismet_result": "true"}, 0, WEAK, ""),
        ("spam", {"akismet_result": "false", "akismet_user_result": "true"}, 1, PERSON, "spam"),
        ("1", {"akismet_result": "true", "akismet_user_result": "false"}, 0, PERSON, ""),
        ("0", {"akismet_user_result": "true"}, 1, PERSON, "spam"),
    ],
)
def test_a_persons_word_in_wordpress_counts_more_than_a_machines(
    reading: Reading,
    *,
    approved: str,
    meta: dict[str, str],
    unwanted: int,
    strength: float,
    reason: str,
) -> None:
    (one,) = comments(reading(wxr(wp_comment(1, approved, meta=meta))))

    assert (one.verdict.unwanted, one.verdict.strength) == (unwanted, strength)
    assert one.verdict.reason == reason


def test_what_is_no_readers_comment_or_undecided_is_skipped_with_its_line(reading: Reading) -> None:
    found = reading(
        wxr(
            wp_comment(1, type="pingback"),
            wp_comment(2, type="trackback"),
            wp_comment(3, "0"),
            wp_comment(4, content=" <p></p> "),
            wp_comment(5, content="a" * 20_001),
            wp_comment(6),
        )
    )

    assert [one.origin_id for one in comments(found)] == ["6"]
    assert skipped(found) == {
        "a pingback, not a reader's comment": [5],
        "a trackback, not a reader's comment": [6],
        "nobody has decided about it there": [7],
        "no text": [8],
        "longer than 20,000 characters": [9],
    }


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_list_of_wp_comment_list_is_read(reading: Reading, form: str) -> None:
    row = {
        "comment_ID": 5,
        "comment_post_ID": 7,
        "comment_author": "Zoë",
        "comment_content": 'Buy <a href="https://pills.example">now</a>,\n"cheap"',
        "comment_approved": "spam",
        "comment_date_gmt": "2024-06-06 08:00:00",
        "comment_type": "",
        "comment_parent": 4,
        "url": f"{PAGE}#comment-5",
    }
    text = json.dumps([row, row | {"comment_ID": 6, "comment_approved": 0}])
    if form == "csv":
        text = ",".join(row) + "\n"
        text += ",".join(f'"{str(v).replace(chr(34), chr(34) * 2)}"' for v in row.values()) + "\n"

    one = comments(reading(text))[0]

    assert (one.origin_id, one.parent, one.page, one.name) == ("5", "4", PAGE, "Zoë")
    assert one.text == 'Buy now (https://pills.example),\n"cheap"'
    assert one.verdict.unwanted == 1


def test_a_large_array_of_json_is_read_piece_by_piece(reading: Reading) -> None:
    row = {"comment_approved": "1", "comment_content": "ü" * 500, "nested": [{"a": 1.5}, None]}
    text = json.dumps([row | {"comment_ID": n} for n in range(1000)], ensure_ascii=False)

    found = reading(text, Format.WP_LIST)

    assert [one.origin_id for one in comments(found)] == [str(n) for n in range(1000)]
    with pytest.raises(DamagedFile, match="cut off, after 999 comments"):
        reading(text[:-20], Format.WP_LIST)
    with pytest.raises(DamagedFile, match="too deep"):
        reading("[" * 200_000, Format.WP_LIST)


def test_posts_of_disqus_are_read_with_their_thread(reading: Reading) -> None:
    text = disqus(
        post(100, "<p>Good &amp; short.</p><p>Second\npart</p>"),
        post(101, '<a href="http://pills.example" rel="nofollow">here</a>', spam=True),
        post(102, "<p>gone</p>", '<parent dsq:id="100"/>', deleted=True),
        post(103, ""),
        post(104, "<p>waits</p>", "<isApproved>false</isApproved>"),
    )
    found = reading(text)
    fine, spam, gone = comments(found)

    assert (fine.text, fine.page, fine.page_title) == (
        "Good & short.\n\nSecond part",
        PAGE,
        "The bridge",
    )
    assert (fine.name, fine.email, fine.created_at) == ("Zoë", "zoe@example.org", 1717660840000)
    assert (fine.verdict.unwanted, fine.verdict.strength) == (0, STATE)
    assert spam.text == "here (http://pills.example)"
    assert (spam.verdict.unwanted, spam.verdict.reason) == (1, "spam")
    assert (gone.verdict.unwanted, gone.verdict.strength, gone.parent) == (1, WEAK, "100")
    assert skipped(found) == {"no text": [9], "nobody has decided about it there": [10]}


@pytest.fixture
def isso(tmp_path: Path) -> Path:
    path = tmp_path / "isso.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("""
            CREATE TABLE threads (id INTEGER PRIMARY KEY, uri VARCHAR, title VARCHAR);
            CREATE TABLE comments (tid, id INTEGER PRIMARY KEY, parent, created FLOAT, modified,
                mode INTEGER, remote_addr, text, author, email, website, likes, dislikes, voters);
            INSERT INTO threads VALUES (1, '/bridge/', 'The bridge');
            INSERT INTO comments (tid, id, parent, created, mode, remote_addr, text, author)
            VALUES (1, 1, NULL, 1717660800.5, 1, '203.0.113.0', 'Well *said*.', NULL),
                   (1, 2, 1, 1717660801, 2, '203.0.113.0', 'Waits.', 'Ann'),
                   (1, 3, 1, 1717660802, 4, '203.0.113.0', '', NULL),
                   (1, 4, 1, 1717660803, 1, '203.0.113.0', CAST(X'66FF6F' AS TEXT), 'Bob');
        """)
        connection.commit()
    return path


def test_a_database_of_isso_is_read(isso: Path) -> None:
    found = found_in(isso)

    (one,) = comments(found)
    assert (one.origin_id, one.text, one.page) == ("1", "Well *said*.", "/bridge/")
    assert (one.name, one.created_at, one.ip) == ("", 1717660800500, "203.0.113.0")
    assert skipped(found) == {
        "nobody has decided about it there": [2],
        "deleted there: only its place is left": [3],
        "its characters do not fit the file's encoding": [4],
    }


def test_a_database_in_which_a_view_takes_the_place_of_a_table_is_refused(isso: Path) -> None:
    with closing(sqlite3.connect(isso)) as connection:
        connection.executescript(
            "ALTER TABLE comments RENAME TO others;"
            "CREATE VIEW comments AS WITH RECURSIVE n(i) AS"
            " (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT others.*, i FROM others, n;"
        )
    with pytest.raises(DamagedFile, match="no database of Isso"):
        found_in(isso)
    isso.write_bytes(isso.read_bytes()[:5000])
    with pytest.raises(DamagedFile):
        found_in(isso)


def test_a_table_without_labels_says_what_their_column_should_be_called(reading: Reading) -> None:
    (skipped,) = reading("text,removed\nFine.,0\n")
    assert isinstance(skipped, Skipped)
    assert skipped.reason.startswith("no column with a label: none is called label, reject, ")


def test_jigsaws_labels_are_read_and_what_was_not_rated_is_skipped(reading: Reading) -> None:
    head = "id,comment_text,toxic,severe_toxic,obscene,threat,insult,identity_hate\n"
    found = reading(
        head + '0a,"Fine, he said.\nTwice.",0,0,0,0,0,0\n0b,Bad.,1,0,0,1,0,0\n0c,Hm.' + ",-1" * 6
    )

    fine, bad = comments(found)
    assert (fine.text, fine.verdict.unwanted, fine.verdict.strength) == (
        "Fine, he said.\nTwice.",
        0,
        PERSON,
    )
    assert (bad.verdict.unwanted, bad.verdict.reason) == (1, "threat")
    assert skipped(found) == {"not rated (-1)": [5]}


def test_the_share_of_annotators_of_civil_comments_is_kept(reading: Reading) -> None:
    found = reading("id,target,comment_text\n5,0.375,Hm.\n6,1.5,Oh.\n")

    assert [one.verdict.unwanted for one in comments(found)] == [0.375]
    assert list(skipped(found).values()) == [[3]]


def test_a_table_of_ones_own_has_the_columns_that_it_is_said_to_have(reading: Reading) -> None:
    text = "Nr;Beitrag;Urteil;name\n1;Gut.;approved;Ann\n2;Schlecht;spam;\n3;Weiß nicht;vielleicht;"

    found = reading(text, columns={"text": "Beitrag", "label": "Urteil", "id": "Nr"})

    assert [(c.origin_id, c.verdict.unwanted, c.verdict.reason) for c in comments(found)] == [
        ("1", 0, ""),
        ("2", 1, "spam"),
    ]
    assert len(skipped(found)) == 1
    with pytest.raises(DamagedFile, match="no column 'Wort' for text; it has Nr, Beitrag"):
        reading(text, columns={"text": "Wort"})
    with pytest.raises(DamagedFile, match="no column with a text"):
        reading("id,toxic\n1,0\n")


def test_oddities_of_a_csv_cost_their_rows_alone(reading: Reading) -> None:
    found = reading(
        b'\xef\xbb\xbftext,label\r\n"one",0\r\ntwo,0,0\r\nthree\r\n\r\nf\xffour,1\r\n"fi""ve",1\r\n'
        b"s\x00ix,0\r\n"
    )

    assert [one.text for one in comments(found)] == ["one", 'fi"ve', "s ix"]
    assert skipped(found) == {
        "more fields than columns": [3],
        "fewer fields than columns": [4],
        "its characters do not fit the file's encoding": [6],
    }


def test_our_own_lines_are_read_and_known_again_without_an_id(reading: Reading) -> None:
    text = '{"text": "Well said.", "label": 0}\nnot json\n[1]\n{"text": "Pills", "label": true}\n'

    found = reading(text)

    assert [one.verdict.unwanted for one in comments(found)] == [0, 1]
    assert skipped(found) == {"no JSON": [2], "not an object": [3]}
    ids = [one.origin_id for one in comments(found)]
    assert len(set(ids)) == 2
    assert [one.origin_id for one in comments(reading(text))] == ids


def test_a_file_may_be_compressed_and_is_read_up_to_where_it_is_cut_off(tmp_path: Path) -> None:
    text = wxr(*(wp_comment(n) for n in range(1, 400))).encode()
    whole = tmp_path / "export.xml.gz"
    whole.write_bytes(gzip.compress(text))
    assert len(comments(found_in(whole))) == 399

    for cut in (gzip.compress(text)[:-400], gzip.compress(text[:-3000])):
        whole.write_bytes(cut)
        source = Source(whole)
        rest: Iterator[Imported | Skipped] = read(source, detect(source))
        got: Found = []
        with pytest.raises(DamagedFile):
            got.extend(rest)
        assert 300 < len(got) < 399


BOMB = "<!DOCTYPE x [" + "".join(
    f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha" * 10}">' for n in range(10)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"<?xml version='1.0'?>{BOMB}]><rss>&e9;</rss>", "entities or a document type"),
        ("<!DOCTYPE rss SYSTEM 'file:///etc/passwd'><rss/>", "entities or a document type"),
        (
            "<!DOCTYPE rss [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><rss>&x;</rss>",
            "entities or a document type",
        ),
        ("<rss>" + "<a>" * 100_000, "nested more than 64 deep"),
        ("<rss><channel>" + "x" * (17 * 2**20), "more than 16,777,216 characters"),
        ("<rss><channel><item>&undefined;</item></channel></rss>", "not well-formed"),
        ("<rss><channel>", "cut off"),
        ("<html></html>", "neither WordPress's nor of Disqus"),
        ("just words", "format is not known"),
        ("", "empty"),
    ],
)
def test_hostile_and_broken_files_are_refused(reading: Reading, text: str, says: str) -> None:
    with pytest.raises(DamagedFile, match=says):
        reading(text)


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("iso-8859-1", "ISO-8859-1"),
        ("windows-1252", "windows-1252"),
    ],
)
def test_a_file_is_read_in_the_encoding_that_it_declares(
    tmp_path: Path, encoding: str, declared: str
) -> None:
    text = wxr(wp_comment(1, content="Größe")).replace("UTF-8", declared, 1)

    (one,) = found_in(written(tmp_path / "export.xml", text, encoding))

    assert isinstance(one, Imported)
    assert one.text == "Größe"


def test_trouble_with_the_encoding_costs_one_comment_and_names_its_line(tmp_path: Path) -> None:
    text = wxr(wp_comment(1), wp_comment(2, content="Gr~ße"), wp_comment(3, content="a\x08b"))
    path = tmp_path / "export.xml"
    path.write_bytes(text.encode().replace(b"~", b"\xf6"))

    found = found_in(path)

    assert [one.text for one in comments(found)] == ["What number 1 has to say.", "a b"]
    assert skipped(found) == {"its characters do not fit the file's encoding": [6]}
    told = written(path, text.replace("ß", "").replace("Zoë", "Z"), "utf-8")
    assert len(comments(found_in(told, encoding="windows-1252"))) == 3
    with pytest.raises(DamagedFile, match="'klingon' is not known"):
        Source(path, "klingon")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=300), st.sampled_from([b"", b"<rss>", b"[{", b"text,label\n", b"\x1f\x8b"])
)
def test_any_bytes_are_read_or_refused(reading: Reading, data: bytes, begin: bytes) -> None:
    try:
        found = reading(begin + data)
    except DamagedFile:
        return
    assert all(isinstance(one, Imported | Skipped) for one in found)
