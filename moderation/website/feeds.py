"""The latest published comments of a site or of a page, as JSON Feed and as Atom.

https://www.jsonfeed.org/version/1.1/ and RFC 4287.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from xml.etree.ElementTree import Element, SubElement, tostring

from sqlalchemy import Connection, select

from moderation.clock import to_datetime
from moderation.models import Comment, Thread, is_approved

_JSON_FEED = "https://jsonfeed.org/version/1.1"
_ATOM = "http://www.w3.org/2005/Atom"

# What XML 1.0 has no way to write (section 2.2).
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Entry:
    """A published comment. It never carries an e-mail address."""

    id: str
    parent_id: str | None
    name: str
    website: str
    text: str
    created_at: int
    page: str
    title: str

    @property
    def url(self) -> str:
        """Where it is read; empty where the site names its pages otherwise than by address."""
        return f"{self.page.partition('#')[0]}#comment-{self.id}" if _is_url(self.page) else ""

    @property
    def at(self) -> datetime:
        """When it was stored."""
        return to_datetime(self.created_at)

    @property
    def heading(self) -> str:
        """What it is called in a list. Some that were imported have no name."""
        return " on ".join(filter(None, (self.name, self.title or self.page)))


@dataclass(frozen=True, slots=True)
class Feed:
    """The latest comments, the newest first."""

    title: str
    url: str
    """The feed's own address."""
    page: str
    """The page whose comments they are; empty: all of the site's."""
    entries: Sequence[Entry]


def latest(connection: Connection, *, site_id: int, page: str, limit: int) -> list[Entry]:
    """The latest published comments of a page; of the whole site, where `page` is empty."""
    query = (
        select(
            Comment.id,
            Comment.parent_id,
            Comment.name,
            Comment.website,
            Comment.text,
            Comment.created_at,
            Thread.page,
            Thread.title,
        )
        .join(Thread, Thread.id == Comment.thread_id)
        .where(is_approved(Comment))
        .limit(limit)
    )
    if page:
        thread = select(Thread.id).where(Thread.site_id == site_id, Thread.page == page)
        # By time: in the order of ids, SQLite would rather walk all comments than sort a page's.
        query = query.where(Comment.thread_id == thread.scalar_subquery()).order_by(
            Comment.created_at.desc(), Comment.id.desc()
        )
    else:
        query = query.where(Comment.site_id == site_id).order_by(Comment.id.desc())
    return [Entry(**row._mapping) for row in connection.execute(query)]


def json_feed(feed: Feed) -> dict[str, Any]:
    """The feed in JSON Feed 1.1."""
    home = {"home_page_url": feed.page} if _is_url(feed.page) else {}
    return {
        "version": _JSON_FEED,
        "title": feed.title,
        **home,
        "feed_url": feed.url,
        "items": [_item(entry) for entry in feed.entries],
    }


def atom(feed: Feed) -> bytes:
    """The feed in Atom 1.0."""
    root = Element("feed", {"xmlns": _ATOM})
    _add(root, "id", feed.url)
    _add(root, "title", feed.title)
    newest = max((entry.created_at for entry in feed.entries), default=0)
    _add(root, "updated", to_datetime(newest).isoformat())
    _add(root, "link", rel="self", href=feed.url)
    if _is_url(feed.page):
        _add(root, "link", rel="alternate", href=feed.page)
    for entry in feed.entries:
        _add_entry(root, entry)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _item(entry: Entry) -> dict[str, Any]:
    url = {"url": entry.url} if entry.url else {}
    website = {"url": entry.website} if entry.website else {}
    return {
        "id": entry.id,
        **url,
        "title": entry.heading,
        "content_text": entry.text,
        "date_published": entry.at.isoformat(),
        "authors": [{"name": entry.name, **website}],
        "_moderation": {"page": entry.page, "parent": entry.parent_id},
    }


def _add_entry(root: Element, entry: Entry) -> None:
    element = SubElement(root, "entry")
    _add(element, "id", UUID(hex=entry.id).urn)
    _add(element, "title", entry.heading)
    _add(element, "updated", entry.at.isoformat())
    _add(element, "published", entry.at.isoformat())
    author = SubElement(element, "author")
    _add(author, "name", entry.name)
    if entry.website:
        _add(author, "uri", entry.website)
    if entry.url:
        _add(element, "link", rel="alternate", href=entry.url)
    _add(element, "content", entry.text, type="text")


def _add(parent: Element, name: str, text: str = "", **attributes: str) -> None:
    sound = {key: _NOT_IN_XML.sub("\ufffd", value) for key, value in attributes.items()}
    SubElement(parent, name, sound).text = _NOT_IN_XML.sub("\ufffd", text) or None


def _is_url(page: str) -> bool:
    return page.startswith(("http://", "https://"))
