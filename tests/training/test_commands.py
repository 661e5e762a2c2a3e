import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moderation.classifier.artifact import load
from moderation.classifier.parameters import HEADS
from moderation.classifier.prediction import REJECT, Document, Reason
from training import evaluation
from training.cli import evaluate, score
from training.records import Record

COMMENTS = [
    {"text": "you fool, you river garden"},
    {"text": "thanks for the garden", "name": "Ann", "website": None},
    {"text": "cheap pills http://pills.example"},
]


def run_score(model: Path, *arguments: str, lines: list[object]) -> Result:
    text = "".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines)
    return CliRunner().invoke(
        score, ["--model", str(model / "model.safetensors"), *arguments], input=text
    )


def test_scores_come_in_order_and_equal_the_models(trained: Path) -> None:
    result = run_score(trained, lines=COMMENTS * 400)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    model = load(trained / "model.safetensors")
    expected = model.predict([Document(row["text"]) for row in COMMENTS])
    assert len(lines) == 1200
    for place in (0, 2, 1197, 1199):
        line, prediction = lines[place], expected[place % 3]
        assert line["reject"] == prediction.reject
        assert line["reasons"] == {reason.value: p for reason, p in prediction.reasons.items()}
        assert line["able"] == prediction.able
        assert line["model"] == model.version


def test_files_are_read_one_after_the_other(trained: Path, tmp_path: Path) -> None:
    for name, row in (("a", COMMENTS[0]), ("b", COMMENTS[1])):
        (tmp_path / name).write_text(json.dumps(row) + "\n")
    result = run_score(trained, str(tmp_path / "a"), str(tmp_path / "b"), lines=[])
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert first["reasons"]["insult"] > second["reasons"]["insult"]


def test_explanations_sum_to_the_probability(trained: Path) -> None:
    line = json.loads(run_score(trained, "--explain", lines=COMMENTS[:1]).stdout)
    assert set(line["explanations"]) == set(HEADS)
    parts = line["explanations"]["insult"]
    total = parts["bias"] + parts["elsewhere"] + sum(weight for _, _, weight in parts["spans"])
    assert 1 / (1 + math.exp(-total)) == pytest.approx(line["reasons"][Reason.INSULT])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{nonsense", "standard input, line 2: not JSON"),
        ("", "standard input, line 2: not JSON"),
        ("[" * 100_000, "standard input, line 2: not JSON"),
        ({"body": "no text"}, "standard input, line 2: an object with a string 'text'"),
        ({"text": "x", "name": 7}, "standard input, line 2: 'name' and 'website'"),
    ],
)
@pytest.mark.parametrize("option", [[], ["--explain"]])
def test_a_line_that_is_no_comment_says_so_in_its_place_and_the_others_are_scored(
    trained: Path, line: object, message: str, option: list[str]
) -> None:
    result = run_score(trained, *option, lines=[COMMENTS[0], line, COMMENTS[1]])
    first, second, third = (json.loads(line) for line in result.stdout.splitlines())
    assert first["reasons"]["insult"] > third["reasons"]["insult"]
    assert set(second) == {"error"}
    assert second["error"].startswith(message)
    assert result.exit_code == 1
    assert f"lines that are no comments: 1; {message}" in result.stderr


def test_whoever_has_seen_enough_ends_it_without_a_complaint(trained: Path) -> None:
    command = [sys.executable, "-m", "moderation", "score", "--model"]
    with subprocess.Popen(
        [*command, str(trained / "model.safetensors")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.close()
        _, complaint = process.communicate(json.dumps(COMMENTS[0]).encode())
    assert process.returncode == 1
    assert complaint == b""


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(score, ["--model", str(tmp_path / "none.safetensors")])
    assert result.exit_code == 1
    assert "there is no such model file" in result.stderr


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "labelled.csv"
    rows = ["comment,verdict,insult,source"]
    for number in range(40):
        bad = number % 2
        text = "you fool, you river" if bad else "thanks for the <b>tower</b>"
        rows.append(f'"{text} {number}",{bad},{bad},site {number % 4 // 2}')
    path.write_text("\n".join([*rows, '"",1,1,site', "x,perhaps,,site"]) + "\n")
    return path


def run_evaluate(model: Path, data: Path, *arguments: str) -> Result:
    columns = ["--column", "text=comment", "--column", "reject=verdict"]
    return CliRunner().invoke(
        evaluate, [str(model / "model.safetensors"), str(data), *columns, *arguments]
    )


def test_an_evaluation_prints_figures_with_intervals_and_what_was_skipped(
    trained: Path, labelled: Path
) -> None:
    result = run_evaluate(trained, labelled)
    assert result.exit_code == 0, result.output
    assert "reject" in result.stdout
    assert "insult" in result.stdout
    assert "1.000 (1.000–1.000)" in result.stdout
    assert "1 skipped, no text in column 'comment'" in result.stderr
    assert "1 skipped, a label is not a number" in result.stderr


def test_the_report_shows_curves_slices_and_escaped_errors(
    trained: Path, labelled: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.html"
    wrong = tmp_path / "wrong.csv"
    wrong.write_text(
        labelled.read_text()
        + '"thanks for the <b>tower</b>",1,1,site 0\n"you fool, you",0,0,site 1\n'
    )
    result = run_evaluate(trained, wrong, "--head", "reject", "--report", str(report))
    assert result.exit_code == 0, result.output
    html = report.read_text()
    assert html.count("<svg") == 4
    assert "groups of people" in html
    assert "site 1" in html
    assert "thanks for the &lt;b&gt;tower&lt;/b&gt;" in html
    assert "<b>tower" not in html


def test_only_the_head_asked_for_is_measured(trained: Path, labelled: Path) -> None:
    result = run_evaluate(trained, labelled, "--head", "insult")
    assert result.exit_code == 0, result.output
    assert ": insult" in result.stdout
    assert ": reject" not in result.stdout


def test_two_models_are_compared_on_the_same_comments(trained: Path, labelled: Path) -> None:
    result = run_evaluate(trained, labelled, "--against", str(trained / "model.safetensors"))
    assert result.exit_code == 0, result.output
    assert "0.000 (0.000–0.000)" in result.stdout
    assert "McNemar p" in result.stdout


@pytest.mark.parametrize("column", ["text", "text=", "mood=happy"])
def test_a_wrong_column_mapping_is_refused(trained: Path, labelled: Path, column: str) -> None:
    assert run_evaluate(trained, labelled, "--column", column).exit_code == 2


def test_labels_of_one_class_cannot_be_measured(trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("comment,verdict\nfine,0\ngood,0\n")
    result = run_evaluate(trained, path)
    assert result.exit_code == 1
    assert "both classes" in result.stderr


def test_a_file_that_the_model_was_trained_on_is_named(trained: Path, data: Path) -> None:
    model = str(trained / "model.safetensors")
    result = CliRunner().invoke(evaluate, [model, str(data / "shop.jsonl.gz")])
    assert result.exit_code == 0, result.output
    assert "was trained on this file" in result.stderr


def test_an_evaluation_does_not_depend_on_how_comments_fall_into_batches(trained: Path) -> None:
    model = load(trained / "model.safetensors")
    rows = [("you fool, you river", 1.0), ("thanks for the tower", 0.0)] * 700
    records = [
        Record(Document(text), {REJECT: label}, 1.0, f"g{number % 9}", "set", key=str(number))
        for number, (text, label) in enumerate(rows)
    ]
    counts: list[int] = []
    (whole,) = evaluation.evaluate(model, iter(records), scored=counts.append)
    assert sum(counts) == whole.comments == 1400
    assert len(counts) > 1
    assert whole.positives == sum(whole.histogram[1]) == 700


def test_small_slices_are_told_as_one(trained: Path) -> None:
    model = load(trained / "model.safetensors")
    records = [
        Record(Document("you fool, you river"), {REJECT: number % 2}, 1.0, "", source)
        for source, size in (("large", 30), ("tiny", 3), ("small", 2))
        for number in range(size)
    ]
    (whole,) = evaluation.evaluate(model, records)
    large, more = (part for part in whole.slices if part.kind == "source")
    assert (large.name, large.comments) == ("large", 30)
    assert large.auc is not None
    assert (more.name, more.comments, more.auc) == ("2 more", 5, None)


def test_the_worst_mistakes_come_first(trained: Path) -> None:
    model = load(trained / "model.safetensors")
    texts = ["you fool, you river", "you fool, you thanks for the tower", "thanks for the tower"]
    records = [Record(Document(text), {REJECT: 0.0}, 1.0, "", "set") for text in texts * 20] + [
        Record(Document(texts[0]), {REJECT: 1.0}, 1.0, "", "set")
    ]
    (whole,) = evaluation.evaluate(model, records)
    scores = [mistake.score for mistake in whole.false_positives]
    assert len(scores) == evaluation.ERRORS
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == max(p.reject for p in model.predict([Document(text) for text in texts]))
    assert whole.false_negatives == []


def test_a_comment_counts_for_those_heads_only_that_its_labels_speak_of(trained: Path) -> None:
    model = load(trained / "model.safetensors")
    records = [
        Record(
            Document("you fool, you river" if number % 2 else "thanks for the tower"),
            {REJECT: number % 2} | ({"insult": 1 - number % 2} if number < 20 else {}),
            1.0,
            f"g{number // 4}",
            "first" if number < 20 else "second",
        )
        for number in range(60)
    ]
    insult, reject = evaluation.evaluate(model, records)
    assert (insult.head, insult.comments, insult.positives) == ("insult", 20, 10)
    assert (reject.head, reject.comments, reject.positives) == (REJECT, 60, 30)
    assert [part.name for part in insult.slices if part.kind == "source"] == ["first"]
    assert [part.name for part in reject.slices if part.kind == "source"] == ["first", "second"]
    assert len(insult.false_positives) == 10
    assert not reject.false_positives
