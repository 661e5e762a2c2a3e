"""Disqus: its XML export, threads first, then posts that name their thread."""

from collections.abc import Iterator, Mapping

from moderation.domain import ModeratorReason
from moderation.imports.markup import Element, elements
from moderation.imports.plain import plain_text
from moderation.imports.records import STATE, WEAK, Imported, Raw, Skipped, Verdict, imported
from moderation.imports.source import Source


def read(source: Source) -> Iterator[Imported | Skipped]:
    """The posts of an export."""
    threads: dict[str, tuple[str, str]] = {}
    for element in elements(source, "disqus/thread", "disqus/post"):
        if element.name == "thread":
            page = element.get("link") or element.get("id")
            threads[element.attributes.get("id", "")] = page, element.get("title")
        else:
            yield _post(element, threads)


def _post(post: Element, threads: Mapping[str, tuple[str, str]]) -> Imported | Skipped:
    author = post.children.get("author") or Element("author", post.line, {})
    page, title = threads.get(_named(post, "thread"), ("", ""))
    raw = Raw(
        line=post.line,
        text=plain_text(post.get("message"), line_feeds=False),
        origin_id=post.attributes.get("id", "") or post.get("id"),
        name=author.get("name") or author.get("username"),
        email=author.get("email"),
        page=page,
        page_title=title,
        parent=_named(post, "parent"),
        created=post.get("createdAt"),
        ip=post.get("ipAddress"),
    )
    verdict = _verdict(post)
    # Not in Disqus's own description of its format; what says so must not come in as published.
    if not verdict.unwanted and post.get("isApproved") == "false":
        return Skipped("nobody has decided about it there", post.line)
    return imported(raw, verdict)


def _named(post: Element, child: str) -> str:
    element = post.children.get(child)
    return "" if element is None else element.attributes.get("id", "")


def _verdict(post: Element) -> Verdict:
    if post.get("isSpam") == "true":
        return Verdict(1.0, STATE, ModeratorReason.SPAM)
    if post.get("isDeleted") == "true":
        return Verdict(1.0, WEAK)
    return Verdict(0.0, STATE)
