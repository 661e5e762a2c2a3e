from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.domain import Standing, Trap
from moderation.rules import (
    DECIDERS,
    NEARLY_THE_SAME,
    Facts,
    Finding,
    Rules,
    Verdict,
    banned_word,
    consult,
    duplicate,
    first_comment,
    flood,
    suspect_word,
    too_long,
    too_many_links,
    trapped,
)


def facts(text: str = "A tram line.", **known: Any) -> Facts:
    values = {
        "name": "Zoë",
        "website": "",
        "author_approved": True,
        "earlier_from_sender": 0,
        "agreement": 0,
    }
    return Facts(text=text, **(values | known))


@pytest.mark.parametrize(
    ("word", "text", "found"),
    [
        # A word is found whatever its case, as a whole, and next to punctuation.
        ("turnip", "You TURNIP!", "turnip"),
        ("turnip", "turnips", None),
        ("turnip", "returnip", None),
        ("turnip", "(turnip)", "turnip"),
        # A final * matches any ending, and nothing before.
        ("turnip*", "Turnipheads", "turnipheads"),
        ("turnip*", "a turnip", "turnip"),
        ("turnip*", "returnips", None),
        # Compatibility forms and what has no width do not hide it.
        ("turnip", "ｔｕｒｎｉｐ", "turnip"),
        ("turnip", "tur\u00adn\u200dip", "turnip"),
        ("ｔurnip", "turnip", "turnip"),
        ("straße", "STRASSE", "strasse"),
        # Several words, other scripts, and signs that mean something elsewhere.
        ("old turnip", "you old turnip", "old turnip"),
        ("репа", "Старая РЕПА.", "репа"),
        ("c++", "I like C++, really", "c++"),
        ("a.b", "axb", None),
        # What matches everything or nothing is no word.
        ("*", "anything", None),
        ("", "anything", None),
        (" ", "any thing", None),
    ],
)
def test_a_word_is_found_as_a_person_would(word: str, text: str, found: str | None) -> None:
    finding = banned_word(facts(text), Rules(banned_words=("other", word)))
    assert (finding.detail if finding else None) == (
        f"has the banned word “{found}”" if found else None
    )


@pytest.mark.parametrize("where", ["text", "name", "website"])
def test_words_are_looked_for_wherever_readers_look(where: str) -> None:
    given = facts(**{where: "https://turnip.example"})
    assert banned_word(given, Rules(banned_words=("turnip",)))
    assert suspect_word(given, Rules(suspect_words=("turnip",)))
    assert not banned_word(given, Rules(suspect_words=("turnip",)))
    assert not suspect_word(given, Rules(banned_words=("turnip",)))


@pytest.mark.parametrize(
    ("words", "verdict"),
    [({"banned_words": ("turnip",)}, "reject"), ({"suspect_words": ("turnip",)}, "hold")],
)
def test_a_banned_word_rejects_and_a_suspect_one_holds(words: dict[str, Any], verdict: str) -> None:
    (finding,) = consult(facts("turnip"), Rules(**words))
    assert finding.verdict == verdict


@given(st.text(), st.lists(st.text(max_size=6)))
def test_any_words_and_any_text_can_be_compared(text: str, words: list[str]) -> None:
    finding = banned_word(facts(text), Rules(banned_words=tuple(words)))
    assert finding is None or words


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("no link", 0),
        ("http://a.example and https://b.example and HTTPS://c.example", 3),
        ("see www.a.example", 1),
        ("https://www.a.example http://www.b.example", 2),
        ('<a href="https://www.a.example">a</a>', 1),
        ("[url=https://a.example]a[/url]", 1),
        ("<a href=x https://a.example", 1),
        ("[url=x]a[/url] [URL]b[/URL]", 2),
        ('<a href="x">a</a> <A HREF="y">b</A>', 2),
        ("<abbr> http: //x www", 0),
    ],
)
def test_links_are_counted_however_they_are_written(text: str, links: int) -> None:
    assert too_many_links(facts(text), Rules(max_links=links)) is None
    if links:
        finding = too_many_links(facts(text), Rules(max_links=links - 1))
        assert finding == Finding(
            "too_many_links", Verdict.HOLD, f"{links} links, at most {links - 1}"
        )


@pytest.mark.parametrize(
    ("rule", "given", "rules", "speaks"),
    [
        # A text is too long when it has more characters than allowed.
        (too_long, facts("x" * 10), Rules(max_length=10), False),
        (too_long, facts("x" * 11), Rules(max_length=10), True),
        # A flood begins when the allowed number has been sent before; 0 never.
        (flood, facts(earlier_from_sender=4), Rules(flood_comments=5), False),
        (flood, facts(earlier_from_sender=5), Rules(flood_comments=5), True),
        (flood, facts(earlier_from_sender=99), Rules(flood_comments=0), False),
        # A repeat agrees in enough of its fingerprint; 0 hours: never.
        (duplicate, facts(agreement=NEARLY_THE_SAME - 1), Rules(), False),
        (duplicate, facts(agreement=NEARLY_THE_SAME), Rules(), True),
        (duplicate, facts(agreement=16), Rules(duplicate_hours=0), False),
        # First comments are held only where the site wants it, until one is approved.
        (first_comment, facts(author_approved=False), Rules(), False),
        (first_comment, facts(author_approved=False), Rules(hold_first_comment=True), True),
        (first_comment, facts(author_approved=True), Rules(hold_first_comment=True), False),
    ],
)
def test_each_rule_speaks_from_its_limit_on(
    rule: Any, given: Facts, rules: Rules, speaks: bool
) -> None:
    finding = rule(given, rules)
    assert (finding is not None) == speaks
    if finding:
        assert finding.rule == rule.__name__
        assert finding.verdict is Verdict.HOLD
        assert finding.detail


def test_an_ordinary_comment_offends_no_default_rule() -> None:
    assert consult(facts(author_approved=False), Rules()) == []


def test_all_that_speak_are_heard_and_rejection_first() -> None:
    rules = Rules(
        banned_words=("turnip",),
        suspect_words=("tram",),
        max_length=10,
        max_links=0,
        hold_first_comment=True,
    )
    found = consult(
        facts(
            "A turnip, a tram, http://a.example",
            author_approved=False,
            earlier_from_sender=5,
            agreement=16,
            standing=Standing.BLOCKED,
            trap=Trap.HONEYPOT,
        ),
        rules,
    )
    assert [finding.rule for finding in found] == [decider.__name__ for decider in DECIDERS]
    assert [finding.verdict for finding in found] == [Verdict.REJECT] * 2 + [Verdict.HOLD] * 7


def test_a_blocked_author_is_rejected_and_a_trusted_one_is_no_newcomer() -> None:
    (finding,) = consult(facts(standing=Standing.BLOCKED), Rules())
    assert (finding.rule, finding.verdict) == ("blocked_author", Verdict.REJECT)
    wary = Rules(hold_first_comment=True)
    assert consult(facts(author_approved=False, standing=Standing.TRUSTED), wary) == []
    assert len(consult(facts(author_approved=False), wary)) == 1


@pytest.mark.parametrize("trap", Trap)
def test_who_falls_into_a_trap_is_held_where_the_site_asks_for_it(trap: Trap) -> None:
    usual = {"honeypot", "too_fast", "bad_form"}
    for rules, holds in (
        (Rules(), usual),
        (Rules(only_our_forms=True), usual | {"no_form"}),
        (Rules(proof_of_work=True), set(Trap)),
    ):
        finding = trapped(facts(trap=trap), rules)
        assert (finding is not None) == (trap in holds)
        if finding:
            assert finding.verdict is Verdict.HOLD
    assert trapped(facts(), Rules(only_our_forms=True, proof_of_work=True)) is None
