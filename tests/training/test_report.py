"""The report in a real browser: for phones, in the dark, with a screen reader, and by itself."""

from pathlib import Path

import pytest

from moderation.classifier.artifact import load
from moderation.classifier.prediction import REJECT, Document
from tests.support.browser import chromium, running_browser
from training.evaluation import evaluate
from training.records import Record
from training.report import render


@pytest.fixture(scope="module")
def report(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = load(trained / "model.safetensors")
    records = [
        Record(
            Document(text if number % 10 else f"<script>alert(1)</script> {text}"),
            {REJECT: float((number % 7 == 0) != (number % 2)), "insult": float(number % 2)},
            1.0,
            "",
            f"a source with a name that is long, number {number % 3}",
        )
        for number, text in enumerate(["thanks for the tower", "you fool, you river"] * 60)
    ]
    path = tmp_path_factory.mktemp("report") / "report.html"
    cautions = ["/a/rather/long/path/without/any/space/in/it/comments.jsonl.gz: trained on"]
    path.write_text(render(evaluate(model, records, against=model), cautions), "utf-8")
    return path


@pytest.mark.skipif(chromium() is None, reason="there is no `chromium` on the PATH")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_the_report_can_be_read_by_everybody(report: Path, scheme: str, width: int) -> None:
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 700}}
    with (
        running_browser() as browser,
        # Only so that the test may look into the page, which runs no script.
        browser.window(report.parent.as_uri(), bypass_csp=True, **options) as window,
    ):
        window.page.goto(report.as_uri())
        assert window.accessibility_findings() == []
        assert not window.scrolls_sideways()
        assert window.page.locator("svg").count() == 8
