"""Takes the pictures in `docs/images`; needs Chromium: `python -m docs.take_screenshots`.

Starts the service in a folder of its own and posts invented comments.
"""

import random
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playwright.sync_api import Page
from sqlalchemy import select, update

from moderation.access.bootstrap import FIRST_SITE
from moderation.clock import DAY, HOUR, SECOND, now_ms
from moderation.domain import ActorKind, Status
from moderation.models import Site
from moderation.policy import HEADS, SiteSettings
from tests.support import newspaper
from tests.support.browser import running_browser
from tests.support.comments import add_comment
from tests.support.events import add_event
from tests.support.service import ADMIN_PASSWORD, Client, Service, running_service

IMAGES = Path(__file__).parent / "images"

WIDE = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "device_scale_factor": 1.5}
DARK = {"color_scheme": "dark"}

READERS = [
    (
        "Ines",
        "I would like to see the source of that number, and of the report.",
        0,
    ),
    ("Jörg", "The report is on the council’s page, under “Harbour and bridges”.", 1),
    ("Amina", "The bees would be happy there, I think.", 0),
    ("Wim de Boer", "I agree with the mayor about the café, but four minutes is optimistic.", 0),
]
HELD = [
    ("Ted", "You are an idiot and everybody knows it. Keep your stupid boat."),
    ("Best offers", "https://a.example https://b.example https://c.example Look what I found!"),
    ("Anna", "Nobody asked the ferryman, of course, and the council could not care less."),
]

NAMES = [*(reader[0] for reader in READERS), *(held[0] for held in HELD)]
MODEL = "2026-11-12"

PAST = {
    "/desk/numbers": "numbers.png",
    "/desk/history?actor_kind=moderator": "history.png",
    "/desk/scores?score_from=0.6&score_to=0.75": "scores.png",
}
"""Pages that need some weeks behind them."""

OTHERS = {
    "/desk/?text=idiot": "desk-filters.png",
    "/desk/account": "desk-account.png",
    "/desk/people": "desk-people.png",
    "/desk/sites": "desk-sites.png",
    "/desk/sites/demo/keys": "desk-site-keys.png",
    "/desk/sites/demo/thresholds": "desk-thresholds.png",
    "/desk/sites/demo/webhooks": "desk-webhooks.png",
    "/desk/history/disagreements": "desk-disagreements.png",
    "/desk/import": "desk-import.png",
}

DAYS = 28


def main() -> None:
    """Post, then take every picture."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_service(Path(folder) / "home") as service:
        _show_all_findings(service)
        _post_all(service)
        with running_browser() as browser:
            with browser.window(service.url, **WIDE) as window:
                _demo(window.page, "demo.png")
                window.page.goto("/docs")
                _save(window.page, "api.png", whole=False)
                _desk(window.page, "desk.png")
                window.page.keyboard.press("?")
                _save(window.page, "desk-keys.png", whole=False)
                window.page.keyboard.press("Escape")
                _comment(window.page, "desk-comment.png", "comment-history.png", "desk-erase.png")
                _past(service)
                for path, name in PAST.items():
                    window.page.goto(path)
                    _save(window.page, name, whole=name == "numbers.png")
                _confirmation(window.page, "scores-confirm.png")
                _settings(window.page, "desk-settings.png")
                for path, name in OTHERS.items():
                    window.page.goto(path)
                    _save(window.page, name, whole=False)
                _model(service, window.page, "desk-model.png", "desk-models.png")
            with browser.window(service.url, **WIDE | DARK) as window:
                window.page.goto("/sign-in")
                _save(window.page, "sign-in.png", whole=False)
                _desk(window.page, "desk-dark.png")
            with browser.window(service.url, **PHONE | DARK) as window:
                _demo_with_held(window.page, "demo-phone.png")
                _desk(window.page, "desk-phone.png")
                window.page.goto("/desk/numbers")
                _save(window.page, "numbers-phone.png", whole=False)


def _show_all_findings(service: Service) -> None:
    """No card hides by lot what the service found: the pictures are to show it."""
    settings = SiteSettings(blind_share=0, audit_share=0)
    database = service.database()
    with database.write() as connection:
        connection.execute(update(Site).values(settings=settings.model_dump(mode="json")))
    database.close()


def _post_all(service: Service) -> None:
    moderator = Client(service.url)
    moderator.sign_in()
    first = None
    for number, (name, text, answers) in enumerate(READERS):
        parent = {"parent": first} if answers and first else {}
        first = _post(service, number, name=name, text=text, **parent)
        if service.decision_on(first) == "held":
            moderator.decide(first, "approved")
    for number, (name, text) in enumerate(HELD, start=len(READERS)):
        service.decision_on(_post(service, number, name=name, text=text))


def _post(service: Service, number: int, **fields: str) -> str:
    site: Mapping[str, str] = {
        "page": "/demo",
        "page_title": "The last ferry across the Ems",
        "email": f"reader{number}@example.org",
        "ip": f"192.0.2.{number}",
    }
    comment_id: str = service.post_comment(**site, **fields).json["id"]
    return comment_id


def _past(service: Service) -> None:
    """Some weeks of comments, as they might have been."""
    chance = random.Random(3)  # noqa: S311 - invented days, not secrets
    database = service.database()
    with database.read() as connection:
        site = connection.execute(select(Site.id).where(Site.name == FIRST_SITE)).scalar_one()
    now = now_ms()
    for at in sorted(now - chance.randrange(HOUR, DAYS * DAY) for _ in range(DAYS * 40)):
        score = chance.betavariate(1, 2.5)
        text = chance.choice(READERS if score < 0.3 else HELD)[1]
        comment = add_comment(
            database,
            site,
            text=text,
            name=chance.choice(NAMES),
            score=score,
            page="/demo",
            age=now - at,
        )
        if score < 0.3:
            passed = {"by": ActorKind.WORKER, "to": Status.APPROVED, "model": MODEL}
            evidence = _evidence(reject=score)
            add_event(
                database, comment, at=at, reason="below_thresholds", evidence=evidence, **passed
            )
            continue
        reason = chance.choice(["insult", "toxic", "spam", "reject"])
        held = {"by": ActorKind.WORKER, "to": Status.HELD, "model": MODEL}
        evidence = _evidence(**{"reject": score, reason: score})
        add_event(database, comment, at=at, reason=reason, evidence=evidence, **held)
        if chance.random() < 0.6:
            wrong = chance.random() < score
            add_event(
                database,
                comment,
                at=at + int(chance.lognormvariate(7, 1)) * SECOND,
                to=Status.REJECTED if wrong else Status.APPROVED,
                actor=chance.choice(["mona", "nils"]),
                reason=chance.choice(["abuse", "spam", "harassment"]) if wrong else "",
            )
    database.close()


def _evidence(**scores: float) -> dict[str, Any]:
    figures = {head: round(scores.get(head, 0.05), 2) for head in HEADS}
    return {
        "rules": [],
        "able": True,
        "scores": figures,
        "thresholds": dict.fromkeys(HEADS, 0.3),
    }


def _demo(page: Page, name: str) -> None:
    page.goto("/demo")
    page.locator("#text").fill("My grandmother took this ferry to school every day.")
    page.locator("#name").fill("Zoë")
    page.locator("#email").focus()
    _save(page, name)


def _demo_with_held(page: Page, name: str) -> None:
    page.goto("/demo")
    for field, value in (("text", HELD[0][1]), ("name", "Ted"), ("email", "ted@example.org")):
        page.locator(f"#{field}").fill(value)
    page.get_by_role("button", name="Post Comment").click()
    page.get_by_text("awaiting moderation").wait_for()
    _save(page, name, whole=False)


def _desk(page: Page, name: str) -> None:
    page.goto("/desk/")
    page.locator("#name").fill("admin")
    page.locator("#password").fill(ADMIN_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("navigation", name="Status").wait_for()
    page.goto("/desk/?order=harm")
    page.locator(".card.current").wait_for()
    _save(page, name, whole=False)


def _comment(page: Page, name: str, history: str, erase: str) -> None:
    """The first card by itself, opened, the comment's history, and what erasing it means."""
    page.locator(".card .permanent").first.click()
    page.get_by_text("Note, author, e-mail").click()
    _save(page, name, whole=False)
    page.get_by_role("link", name="history", exact=True).click()
    page.get_by_text("All probabilities").click()
    _save(page, history, whole=False)
    page.get_by_role("link", name="Erase it").click()
    _save(page, erase, whole=False)


def _confirmation(page: Page, name: str) -> None:
    page.goto("/desk/scores?score_from=0.9&score_to=1")
    page.get_by_role("button", name="Reject all").click()
    page.get_by_text("Back, without deciding").wait_for()
    _save(page, name, whole=False)


def _settings(page: Page, name: str) -> None:
    page.goto("/desk/sites/demo/")
    page.locator("[id='thresholds.insult']").fill("0.9")
    page.locator("[id='rules.banned_words']").fill("stupid*")
    page.get_by_role("button", name="Show what it would have done").click()
    page.get_by_role("heading", name="What this change would have done").wait_for()
    _save(page, name, whole=False)


def _model(service: Service, page: Page, name: str, overview: str) -> None:
    """A model that was trained on invented decisions."""
    database = service.database()
    with database.read() as connection:
        site = connection.execute(select(Site.id).where(Site.name == FIRST_SITE)).scalar_one()
    newspaper.teach(database, site)
    database.close()
    page.goto("/desk/sites/demo/models")
    page.get_by_role("button", name="Train a new model").click()
    page.get_by_role("link", name="what came of it").first.wait_for(timeout=180 * SECOND)
    _save(page, overview)
    page.get_by_role("link", name="what came of it").first.click()
    _save(page, name)


def _save(page: Page, name: str, *, whole: bool = True) -> None:
    page.screenshot(path=IMAGES / name, full_page=whole)


if __name__ == "__main__":
    main()
