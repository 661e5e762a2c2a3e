"""A real WordPress with the plugins of `integrations/wordpress`, readers and moderators in a real
browser, and a running service."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from xmlrpc.client import ServerProxy

import pytest
import standardwebhooks
from playwright.sync_api import Page, Request, expect
from sqlalchemy import select

from moderation.models import Comment, Label, Thread
from moderation.policy import SiteSettings
from moderation.rules import Rules
from tests.support.browser import Browser, running_browser, sign_in
from tests.support.ports import free_port
from tests.support.service import (
    SITE_KEY,
    UNFRIENDLY,
    Client,
    Service,
    running_service,
)
from tests.support.waiting import eventually
from tests.support.wordpress import (
    ADMIN,
    PACKAGES,
    PASSWORD,
    WordPress,
    missing,
    running_wordpress,
)

pytestmark = pytest.mark.wordpress

PLUGINS = Path(__file__).parents[2] / "integrations" / "wordpress"
PLUGIN = PLUGINS / "moderation.php"
AKISMET = PLUGINS / "akismet.php"

GOOD = "I would like to see the source of number {}, because the report says something else."
BAD = UNFRIENDLY + " It is the {} time."

PUBLISHED = '[The Courier] Comment: "Hello world!"'
"""The subject of WordPress's mail to the post's author."""

DESKTOP = {"viewport": {"width": 1280, "height": 900}}

AWAITING = "Your comment is awaiting moderation."


@pytest.fixture(scope="module", autouse=True)
def _wordpress_is_here() -> None:
    """Where there is none, root should have installed it, and others may do without."""
    if lacking := missing():
        reason = f"there is no {', '.join(lacking)} here: apt-get install {PACKAGES}"
        (pytest.fail if os.geteuid() == 0 else pytest.skip)(reason)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all journeys."""
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of these journeys' own, which may be stopped."""
    home = tmp_path_factory.mktemp("wordpress") / "home"
    with running_service(home, webhooks_to_private_addresses="true") as service:
        rules = Rules(flood_comments=0, duplicate_hours=0)
        service.set_site(SiteSettings(rules=rules, akismet_waits=True))
        service.wait_until_warm()
        yield service


@pytest.fixture(scope="module")
def installed() -> Iterator[WordPress]:
    """A WordPress as it comes."""
    with running_wordpress() as wordpress:
        yield wordpress


@pytest.fixture(scope="module")
def secret(service: Service, installed: WordPress, browser: Browser) -> str:
    """The secret of the webhook by which the service tells that WordPress of its decisions."""
    with browser.window(service.url) as administrator:
        page = administrator.page
        page.goto("/desk/sites/demo/webhooks")
        sign_in(page)
        page.get_by_label("Web address").fill(
            f"{installed.url}/index.php?rest_route=/moderation/v1/webhook"
        )
        page.get_by_role("button", name="Add webhook").click()
        return page.locator("code.secret").inner_text()


@pytest.fixture(scope="module")
def wordpress(service: Service, installed: WordPress, secret: str) -> Iterator[WordPress]:
    """It, with the plugin and told of the service."""
    installed.define("MODERATION_URL", service.url)
    installed.define("MODERATION_KEY", SITE_KEY)
    installed.define("MODERATION_WEBHOOK_SECRET", secret)
    # A machine with much to do is not what is tested here.
    installed.define("MODERATION_TIMEOUT", "20")
    installed.replace_must_use(PLUGIN)
    yield installed
    assert installed.complaints_of(PLUGIN) == []


def test_a_good_comment_appears_and_a_bad_one_waits_for_the_desk(
    service: Service, wordpress: WordPress, browser: Browser
) -> None:
    good, bad = GOOD.format("one"), BAD.format("first")
    with browser.window(wordpress.url) as reader:
        _post(reader.page, good, name="Ada")
        expect(reader.page.get_by_text(good)).to_be_visible()
        expect(reader.page.get_by_text(AWAITING)).to_have_count(0)
        _post(reader.page, bad, name="Held by the service")
        expect(reader.page.get_by_text(AWAITING)).to_be_visible()
    assert _shown_to_others(wordpress, browser) >= {good}
    assert bad not in _shown_to_others(wordpress, browser)

    with browser.window(service.url) as moderator:
        moderator.page.goto("/desk/")
        sign_in(moderator.page)
        card = moderator.page.get_by_role("article", name="Held by the service")
        expect(card).to_contain_text("Hello world!")
        card.get_by_role("button", name="Approve").click()
        expect(moderator.page.get_by_text("1 comment approved.")).to_be_visible()

    eventually(lambda: _here(wordpress, bad)["status"] == "approved")
    assert bad in _shown_to_others(wordpress, browser)


@pytest.mark.usefixtures("wordpress")
def test_a_test_message_from_the_desk_arrives(service: Service, browser: Browser) -> None:
    with browser.window(service.url) as administrator:
        page = administrator.page
        page.goto("/desk/sites/demo/webhooks")
        sign_in(page)
        page.get_by_role("button", name="Send a test").click()
        sent = page.get_by_role("row").filter(has_text="webhook.test").first
        expect(sent).to_be_visible()

        def is_answered() -> bool:
            page.reload()
            return "Answered 200" in sent.inner_text()

        eventually(is_answered)


def test_what_moderators_click_in_wp_admin_becomes_labels_and_does_not_come_back(
    service: Service, wordpress: WordPress, browser: Browser
) -> None:
    spam, *held = GOOD.format("two"), BAD.format("second"), BAD.format("third")
    for text in (spam, *held):
        _submit(wordpress, text)
    assert _here(wordpress, spam)["status"] == "approved"

    with browser.window(wordpress.url, **DESKTOP) as moderator:
        page = moderator.page
        _sign_in(page)
        page.goto("/wp-admin/edit-comments.php")
        _row_action(page, wordpress, spam, "Mark this comment as spam")
        eventually(lambda: _labels(service, wordpress, spam) == [(1.0, "spam", "client", ADMIN)])
        assert _there(service, wordpress, spam).status == "rejected"

        page.goto("/wp-admin/edit-comments.php")
        for text in held:
            page.locator(f"#cb-select-{_here(wordpress, text)['id']}").check()
        page.locator("#bulk-action-selector-top").select_option("approve")
        page.locator("#doaction").click()
        expect(page.get_by_text("2 comments approved")).to_be_visible()
        for text in held:
            _eventually_there(service, wordpress, text, "approved")
            assert _labels(service, wordpress, text) == [(0.0, "", "client", ADMIN)]

        page.goto("/wp-admin/edit-comments.php")
        _row_action(page, wordpress, held[0], "Unapprove this comment")
        _eventually_there(service, wordpress, held[0], "held")
        _row_action(page, wordpress, held[0], "Move this comment to the Trash")
        _eventually_there(service, wordpress, held[0], "rejected")
        page.goto("/wp-admin/edit-comments.php?comment_status=spam")
        _row_action(page, wordpress, spam, "Restore this comment from the spam")
        _eventually_there(service, wordpress, spam, "approved")

    assert _here(wordpress, spam)["status"] == "approved"
    assert _here(wordpress, held[0])["status"] == "trash"
    assert _here(wordpress, spam)["waiting"] is False


def test_nothing_is_lost_and_nothing_doubled_while_the_service_is_away(
    service: Service, wordpress: WordPress, browser: Browser
) -> None:
    before, clicked = BAD.format("fourth"), GOOD.format("three")
    good, bad = GOOD.format("four"), BAD.format("fifth")
    _submit(wordpress, before)
    with (
        _away(service) as back,
        browser.window(wordpress.url, **DESKTOP) as window,
    ):
        page = window.page
        _post(page, good, name="Grace")
        expect(page.get_by_text(AWAITING)).to_be_visible()
        for text in (bad, clicked):
            _submit(wordpress, text)
        _sign_in(page)
        page.goto("/wp-admin/edit-comments.php?comment_status=moderated")
        for text in (before, clicked):
            _row_action(page, wordpress, text, "Approve this comment")
        page.goto("/wp-admin/tools.php?page=moderation")
        expect(_status(page, "Waiting to be sent")).to_have_text("4")
        expect(_status(page, "Last error")).not_to_have_text("none")

        back()
        wordpress.php("delete_option('mails');")
        # As its time comes, which is not before a minute.
        wordpress.php(
            "$at = wp_next_scheduled('moderation_send');"
            "wp_unschedule_event($at, 'moderation_send');"
            "return wp_schedule_single_event(time() - 1, 'moderation_send');"
        )
        Client(wordpress.url).request("GET", "/wp-cron.php")

        def is_sent() -> bool:
            page.reload()
            return bool(_status(page, "Waiting to be sent").inner_text().strip() == "0")

        eventually(is_sent)
        expect(_status(page, "Connection")).to_have_text("The service answers, and knows the key.")

    assert wordpress.php("return get_option('mails');") == [PUBLISHED]
    statuses = {text: _here(wordpress, text)["status"] for text in (before, clicked, good, bad)}
    assert statuses == {
        before: "approved",
        clicked: "approved",
        good: "approved",
        bad: "unapproved",
    }
    for text in (before, clicked):
        assert _labels(service, wordpress, text) == [(0.0, "", "client", ADMIN)]
    assert _labels(service, wordpress, good) == []
    texts = [row.text for row in _all_there(service)]
    assert sorted(texts) == sorted(set(texts))


def test_the_button_sends_what_waits(
    service: Service, wordpress: WordPress, browser: Browser
) -> None:
    good = GOOD.format("five")
    wordpress.php(
        "update_option('moderation_state', array('failures' => 1, 'closed_until' => time() + 60));"
    )
    _submit(wordpress, good)
    assert _here(wordpress, good)["status"] == "unapproved"
    with browser.window(wordpress.url) as window:
        _sign_in(window.page)
        window.page.goto("/wp-admin/tools.php?page=moderation")
        expect(_status(window.page, "Waiting to be sent")).to_have_text("1")
        window.page.get_by_role("button", name="Send now").click()
        expect(_status(window.page, "Waiting to be sent")).to_have_text("0")
    assert _here(wordpress, good)["status"] == "approved"
    # It was not the person at the button who decided.
    assert _labels(service, wordpress, good) == []


def test_a_comment_whose_answer_was_lost_is_not_stored_twice(
    service: Service, wordpress: WordPress
) -> None:
    good = GOOD.format("fourteen")
    _submit(wordpress, good)
    wordpress.php(
        "delete_comment_meta($given[0], '_moderation_id');"
        "add_comment_meta($given[0], '_moderation_waiting', array('referrer' => ''));"
        "do_action('moderation_send');",
        _here(wordpress, good)["id"],
    )
    assert _here(wordpress, good)["waiting"] is False
    assert [row.text for row in _all_there(service)].count(good) == 1


def test_all_that_wordpress_knows_is_sent_and_as_the_reader_wrote_it(
    service: Service, wordpress: WordPress
) -> None:
    first = GOOD.format("six")
    _submit(wordpress, first)
    answer = 'O\'Hara & Søn said "1 < 2", \\o/ – <em>really</em>, as <a href="https://a.example">here</a>.'
    _submit(
        wordpress,
        answer,
        author="Flann O'Brien & Søn",
        email="flann@example.org",
        url="https://flann.example/?a=1&b=2",
        comment_parent=str(_here(wordpress, first)["id"]),
    )

    row = next(row for row in _all_there(service) if row.name.startswith("Flann"))
    parent = next(row for row in _all_there(service) if row.text == first)
    assert row.text == 'O\'Hara & Søn said "1 < 2", \\o/ – really, as here (https://a.example).'
    assert row.name == "Flann O'Brien & Søn"
    assert row.email == "flann@example.org"
    assert row.website == "https://flann.example/?a=1&b=2"
    assert row.parent_id == parent.id
    assert row.ip == "127.0.0.1"
    assert row.user_agent == "a browser"
    assert row.referrer == f"{wordpress.url}/?p=1"
    assert (row.page, row.title) == (f"{wordpress.url}/?p=1", "Hello world!")


def test_what_the_service_would_not_take_is_replaced_and_the_rest_is_left_to_people(
    service: Service, wordpress: WordPress, browser: Browser
) -> None:
    nameless, long = GOOD.format("seven"), "On and on. " * 2_000
    wordpress.php("update_option('require_name_email', '');")
    _submit(wordpress, nameless, author="", email="", url="ftp://nowhere")
    _submit(wordpress, long)
    wordpress.php("update_option('require_name_email', '1');")

    row = next(row for row in _all_there(service) if row.text == nameless)
    assert (row.name, row.website) == ("Anonymous", "")
    assert row.email.endswith("@example.org")
    assert _here(wordpress, nameless)["status"] == "approved"
    assert _here(wordpress, long)["status"] == "unapproved"
    assert _here(wordpress, long)["waiting"] is False
    with browser.window(wordpress.url) as window:
        _sign_in(window.page)
        window.page.goto("/wp-admin/tools.php?page=moderation")
        expect(_status(window.page, "Last error")).to_contain_text("is left to you")


def test_who_is_to_know_of_a_comment_gets_one_mail(wordpress: WordPress) -> None:
    wordpress.php("delete_option('mails');")
    _submit(wordpress, GOOD.format("ten"))
    _submit(wordpress, BAD.format("tenth"))
    published, held = wordpress.php("return get_option('mails');")
    assert published == PUBLISHED
    assert held == '[The Courier] Please moderate: "Hello world!"'


def test_a_comment_deleted_where_there_is_no_trash_is_rejected(
    service: Service, wordpress: WordPress
) -> None:
    bad = BAD.format("twelfth")
    _submit(wordpress, bad)
    id_there = _there(service, wordpress, bad).id
    wordpress.php(
        "wp_set_current_user(get_user_by('login', $given[0])->ID);"
        "wp_delete_comment($given[1], true);",
        ADMIN,
        _here(wordpress, bad)["id"],
    )
    assert service.status_of(id_there) == "rejected"


def test_comments_by_the_rest_api_and_by_xml_rpc_are_asked_about_too(
    service: Service, wordpress: WordPress
) -> None:
    wordpress.php("wp_create_user('subscriber', $given[0], 'subscriber@example.org');", PASSWORD)
    by_rest, by_xml_rpc = BAD.format("sixth"), BAD.format("seventh")
    wordpress.php(
        "wp_set_current_user(get_user_by('login', 'subscriber')->ID);"
        "$request = new WP_REST_Request('POST', '/wp/v2/comments');"
        "$request->set_body_params(array('post' => 1, 'content' => $given[0]));"
        "rest_do_request($request);",
        by_rest,
    )
    with ServerProxy(f"{wordpress.url}/xmlrpc.php") as xml_rpc:
        xml_rpc.wp.newComment(1, "subscriber", PASSWORD, 1, {"content": by_xml_rpc})

    for text in (by_rest, by_xml_rpc):
        assert _here(wordpress, text)["status"] == "unapproved"
        assert _there(service, wordpress, text).status == "held"


def test_who_needs_no_approval_is_not_asked_about_and_neither_is_what_wordpress_took_for_spam(
    service: Service, wordpress: WordPress, browser: Browser
) -> None:
    own, banned = BAD.format("eighth"), GOOD.format("eight") + " casino"
    with browser.window(wordpress.url) as window:
        _sign_in(window.page)
        window.page.goto("/?p=1")
        window.page.locator("#comment").fill(own)
        window.page.get_by_role("button", name="Post Comment").click()
        expect(window.page.get_by_text(own)).to_be_visible()
    wordpress.php("update_option('disallowed_keys', 'casino');")
    _submit(wordpress, banned)

    assert _here(wordpress, own)["status"] == "approved"
    assert _here(wordpress, banned)["status"] == "trash"
    assert not {own, banned} & {row.text for row in _all_there(service)}


def test_where_people_approve_every_comment_the_service_alone_publishes_none(
    service: Service, wordpress: WordPress, secret: str
) -> None:
    good = GOOD.format("nine")
    wordpress.php("update_option('comment_moderation', '1');")
    _submit(wordpress, good)
    assert _there(service, wordpress, good).status == "approved"
    assert _here(wordpress, good)["status"] == "unapproved"
    by_a_person = _message(_there(service, wordpress, good).id, "approved", version=7)
    assert _webhook(wordpress, secret, by_a_person) == 200
    assert _here(wordpress, good)["status"] == "approved"
    wordpress.php("update_option('comment_moderation', '');")


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
        {"webhook-timestamp": "soon"},
        {"webhook-id": "another"},
    ],
)
def test_a_message_that_is_not_the_services_or_is_old_is_refused(
    wordpress: WordPress, secret: str, wrong: dict[str, str]
) -> None:
    body = _message("0" * 32, "approved", version=1)
    assert _webhook(wordpress, secret, body) == 200
    assert _webhook(wordpress, secret, body, **wrong) == 401


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_message_of_another_time_is_refused(
    wordpress: WordPress, secret: str, minutes: int
) -> None:
    body = _message("0" * 32, "approved", version=1)
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    assert _webhook(wordpress, secret, body, at=at) == 401


def test_the_newest_decision_counts_in_whatever_order_they_arrive(
    service: Service, wordpress: WordPress, secret: str
) -> None:
    text = BAD.format("ninth")
    _submit(wordpress, text)
    id_there = _there(service, wordpress, text).id
    seen = []
    for status, version in (("approved", 9), ("rejected", 8), ("rejected", 9), ("held", 10)):
        assert _webhook(wordpress, secret, _message(id_there, status, version=version)) == 200
        seen.append(_here(wordpress, text)["status"])
    assert seen == ["approved", "approved", "approved", "unapproved"]


@pytest.fixture(scope="module")
def akismet(service: Service, wordpress: WordPress, browser: Browser) -> Iterator[WordPress]:
    """The same WordPress with Debian's Akismet plugin in the place of ours, led to the service."""
    with browser.window(service.url) as administrator:
        page = administrator.page
        page.goto("/desk/sites/demo/keys")
        sign_in(page)
        page.get_by_role("button", name="Create one for an Akismet client").click()
        key = page.locator("code.secret").inner_text()
    wordpress.define("WPCOM_API_KEY", key)
    wordpress.replace_must_use(AKISMET)
    wordpress.php("update_option('comment_previously_approved', '');")
    load = "require_once ABSPATH . 'wp-admin/includes/plugin.php';"
    wordpress.php(f"{load} activate_plugin('akismet/akismet.php');")
    yield wordpress
    wordpress.php(f"{load} deactivate_plugins('akismet/akismet.php');")
    wordpress.replace_must_use(PLUGIN)
    assert wordpress.complaints_of(AKISMET) == []


def test_the_akismet_plugin_is_moderated_here(
    service: Service, akismet: WordPress, browser: Browser
) -> None:
    good, bad, spam = GOOD.format("eleven"), BAD.format("eleventh"), GOOD.format("twelve")
    assert akismet.php("return Akismet::verify_key(Akismet::get_api_key());") == "valid"
    with browser.window(akismet.url) as reader:
        _post(reader.page, good, name="Ada O'Hara")
        expect(reader.page.get_by_text(good)).to_be_visible()
        expect(reader.page.get_by_text(AWAITING)).to_have_count(0)
        _post(reader.page, bad, name="Held by way of Akismet")
        expect(reader.page.get_by_text(AWAITING)).to_be_visible()
    _submit(akismet, spam, author="viagra-test-123")
    assert _here(akismet, spam)["status"] == "spam"

    moderator = Client(service.url)
    moderator.sign_in()
    held = next(row for row in _all_there(service) if row.text == bad)
    assert moderator.decide(held.id, "approved").status == 303
    _akismet_asks_again(akismet)
    assert _here(akismet, bad)["status"] == "approved"

    with browser.window(akismet.url, **DESKTOP) as window:
        _sign_in(window.page)
        window.page.goto("/wp-admin/edit-comments.php")
        _row_action(window.page, akismet, good, "Mark this comment as spam")
        # Not shown: it would ask other hosts.
        settings = "/wp-admin/options-general.php?page=akismet-key-config"
        eventually(lambda: "1 missed spam" in window.page.request.get(settings).text())
    found = next(row for row in _all_there(service) if row.text == good)
    assert found.name == "Ada O'Hara"
    assert found.status == "rejected"


def test_the_akismet_plugin_holds_while_the_service_is_away(
    service: Service, akismet: WordPress
) -> None:
    good = GOOD.format("thirteen")
    akismet.define("MODERATION_URL", f"http://127.0.0.1:{free_port()}")
    _submit(akismet, good)
    assert _here(akismet, good)["status"] == "unapproved"
    # Newer plugins than this one publish what is answered without this header.
    assert akismet.php(
        "return wp_remote_retrieve_header("
        "  wp_remote_post('https://rest.akismet.com/1.1/comment-check'), 'x-akismet-guid');"
    )
    akismet.define("MODERATION_URL", service.url)
    _akismet_asks_again(akismet)
    assert _here(akismet, good)["status"] == "approved"


def test_the_akismet_plugin_finds_all_else_that_it_asks_for(akismet: WordPress) -> None:
    admin = "require_once AKISMET__PLUGIN_DIR . 'class.akismet-admin.php'; return Akismet_Admin::"
    assert akismet.php(f"{admin}get_akismet_user(Akismet::get_api_key())->status;") == "active"
    assert akismet.php(f"{admin}get_akismet_user('0123456789ab');") is False
    assert akismet.php(f"{admin}check_server_connectivity();") is True
    assert akismet.php("return Akismet::deactivate_key(WPCOM_API_KEY);") == "deactivated"
    assert akismet.php("return Akismet::verify_key(WPCOM_API_KEY);") == "valid"


def test_the_address_of_older_akismet_plugins_leads_here_too(akismet: WordPress) -> None:
    def asked(path: str, fields: str) -> str:
        return str(
            akismet.php(
                "return wp_remote_retrieve_body(wp_remote_post("
                f"  'https://' . WPCOM_API_KEY . '.rest.akismet.com/1.1/{path}',"
                f"  array('body' => array('blog' => home_url(), {fields}))));"
            )
        )

    assert asked("verify-key", "'key' => WPCOM_API_KEY") == "valid"
    somebody = "'user_ip' => '198.51.100.9', 'comment_author' =>"
    assert asked("comment-check", f"{somebody} 'viagra-test-123'") == "true"
    assert asked("comment-check", f"{somebody} 'Ada', 'user_role' => 'administrator'") == "false"


@contextmanager
def _away(service: Service) -> Iterator[Callable[[], None]]:
    """The service is stopped, until the function that this gives is called."""
    service.stop()

    def back() -> None:
        service.start()
        service.wait_until_warm()

    try:
        yield back
    finally:
        if service.process is None:
            back()


def _akismet_asks_again(wordpress: WordPress) -> None:
    """Let the time come at which the plugin asks about what it holds."""
    assert wordpress.php("return wp_next_scheduled('akismet_schedule_cron_recheck');")
    wordpress.php("do_action('akismet_schedule_cron_recheck');")


def _post(page: Page, text: str, *, name: str) -> None:
    page.goto("/?p=1")
    page.locator("#comment").fill(text)
    page.locator("#author").fill(name)
    page.locator("#email").fill("reader@example.org")
    page.get_by_role("button", name="Post Comment").click()
    page.wait_for_url("**#comment-*")


def _submit(wordpress: WordPress, text: str, **fields: str) -> None:
    """Post a comment by WordPress's own form, without a browser."""
    form = {
        "comment_post_ID": "1",
        "comment": text,
        "author": "Zoë",
        "email": "zoe@example.org",
    }
    answer = Client(wordpress.url).submit(
        "/wp-comments-post.php",
        form | fields,
        **{"User-Agent": "a browser", "Referer": f"{wordpress.url}/?p=1"},
    )
    assert answer.status == 302, answer.text


def _shown_to_others(wordpress: WordPress, browser: Browser) -> set[str]:
    """The texts of the comments that a reader sees who has posted none."""
    with browser.window(wordpress.url) as reader:
        reader.page.goto("/?p=1")
        return set(reader.page.locator(".comment-content").all_inner_texts())


def _sign_in(page: Page) -> None:
    """Sign in to wp-admin."""
    page.goto("/wp-login.php")
    page.wait_for_load_state("load")
    page.locator("#user_login").fill(ADMIN)
    page.locator("#user_pass").fill(PASSWORD)
    page.get_by_role("button", name="Log In").click()
    page.wait_for_url("**/wp-admin/**")


def _row_action(page: Page, wordpress: WordPress, text: str, name: str) -> None:
    """Click below a comment in the list of comments, and wait until WordPress has answered."""
    number = _here(wordpress, text)["id"]
    row = page.locator(f"#comment-{number}")
    row.hover()

    def is_about_it(request: Request) -> bool:
        # wp-admin asks for other things by itself at the same address.
        about = parse_qs(request.post_data or "").get("id")
        return request.url.endswith("/admin-ajax.php") and about == [str(number)]

    with page.expect_request_finished(is_about_it):
        row.get_by_role("button", name=name).click()


def _status(page: Page, name: str) -> Any:
    """What Tools → Moderation says of something."""
    header = page.get_by_role("rowheader", name=name, exact=True)
    return page.get_by_role("row").filter(has=header).get_by_role("cell")


def _here(wordpress: WordPress, text: str) -> Any:
    """The comment with this text, as WordPress has it."""
    return wordpress.php(
        "$comment = current(array_filter("
        "  get_comments(array('status' => 'any', 'orderby' => 'comment_ID')),"
        "  function ($one) use ($given) {"
        "    return trim(html_entity_decode($one->comment_content)) === trim($given[0]); }));"
        "return array('id' => (int) $comment->comment_ID,"
        "  'status' => wp_get_comment_status($comment),"
        "  'waiting' => metadata_exists('comment', $comment->comment_ID, '_moderation_waiting'));",
        text,
    )


def _all_there(service: Service) -> list[Any]:
    """All comments that the service has."""
    query = select(Comment.__table__, Thread.page, Thread.title).join(
        Thread, Thread.id == Comment.thread_id
    )
    database = service.database()
    with database.read() as connection:
        rows = list(connection.execute(query))
    database.close()
    return rows


def _there(service: Service, wordpress: WordPress, text: str) -> Any:
    """The comment with this text, as the service has it."""
    key = f"wordpress-1-{_here(wordpress, text)['id']}"
    return next(row for row in _all_there(service) if row.idempotency_key == key)


def _eventually_there(service: Service, wordpress: WordPress, text: str, status: str) -> None:
    eventually(lambda: bool(_there(service, wordpress, text).status == status))


def _labels(service: Service, wordpress: WordPress, text: str) -> list[tuple[float, str, str, str]]:
    """What people said of a comment, as far as it still counts."""
    comment_id = _there(service, wordpress, text).id
    query = select(Label.unwanted, Label.reason, Label.source, Label.actor).where(
        Label.comment_id == comment_id, Label.withdrawn_at.is_(None)
    )
    database = service.database()
    with database.read() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    database.close()
    return rows


def _message(comment_id: str, status: str, *, version: int) -> bytes:
    """A moderator's decision, as a webhook tells it."""
    data = {"id": comment_id, "status": status, "version": version, "by": "moderator"}
    return json.dumps({"type": f"comment.{status}", "data": data}).encode()


def _webhook(
    wordpress: WordPress, secret: str, body: bytes, *, at: datetime | None = None, **changed: str
) -> int:
    """The HTTP status that a message is answered with; with headers changed after it was signed.

    `at`: when it says it was sent; None: now.
    """
    now = at or datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": standardwebhooks.Webhook(secret).sign("msg_1", now, body.decode()),
        "Content-Type": "application/json",
    }
    path = "/index.php?rest_route=/moderation/v1/webhook"
    return Client(wordpress.url).request("POST", path, body=body, headers=headers | changed).status
