import pytest

from moderation.classifier.language import able, detect

GERMAN = "Ich weiß nicht, warum die Leute das immer noch glauben, es ist doch längst widerlegt."
ENGLISH = "I do not know why people still believe this, it has been refuted long ago."


def judge(text: str, share: float) -> bool:
    words = len(text.split())
    return able(text, words, round(share * words), ["en"], 0.4)


def test_another_language_is_left_to_a_person_even_with_many_known_words() -> None:
    assert not judge(GERMAN, 0.6)


def test_the_language_of_the_model_is_judged_even_with_few_known_words() -> None:
    assert judge(ENGLISH, 0.2)


def test_common_words_need_no_second_opinion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moderation.classifier.language.detect", lambda _: "xx")
    assert judge(ENGLISH, 1.0)
    assert not judge(ENGLISH, 0.5)


@pytest.mark.parametrize(("share", "judged"), [(0.0, False), (0.3, False), (0.5, True)])
def test_in_doubt_the_vocabulary_decides(share: float, judged: bool) -> None:
    text = "zzz qqq www xxx"
    assert detect(text) == ""
    assert judge(text, share) is judged


def test_nothing_known_is_never_judged() -> None:
    assert not able("", 0, 0, ["en"], 0.0)
    assert not judge(ENGLISH, 0.0)


@pytest.mark.parametrize("text", ["\x00\x01", "\ud800 lone", "\u202e", "\U0001f600" * 50])
def test_odd_characters_are_no_error(text: str) -> None:
    assert isinstance(detect(text), str)
