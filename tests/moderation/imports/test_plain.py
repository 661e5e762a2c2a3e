"""HTML as the text that a reader sees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.imports.plain import plain_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("Fish &amp; chips <b>now</b>", "Fish & chips now"),
        ("<p>One</p>\n<p>Two<br>three</p>", "One\n\nTwo\nthree"),
        ('See <a href="https://pills.example/x">this</a>!', "See this (https://pills.example/x)!"),
        ('<a href="https://a.example/">https://a.example</a>', "https://a.example"),
        ('<a href="http://pills.example">left open', "left open (http://pills.example)"),
        ('<img src="https://a.example/cat.png">', "https://a.example/cat.png"),
        ("<ul><li>a<li>b</ul>", "- a\n- b"),
        ("a <script>alert(1)</script>b", "a b"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("&lt;b&gt; is bold", "<b> is bold"),
    ],
)
def test_a_reader_sees(html: str, text: str) -> None:
    assert plain_text(html, line_feeds=False) == text


def test_a_line_feed_is_one_where_the_system_says_so() -> None:
    assert plain_text("a\nb <i>c</i>", line_feeds=True) == "a\nb c"
    assert plain_text("a\nb <i>c</i>", line_feeds=False) == "a b c"


@given(st.text(alphabet="<>/&;ap!-= \n\"'", max_size=80))
def test_any_markup_becomes_some_text(html: str) -> None:
    assert isinstance(plain_text(html, line_feeds=False), str)
