"""WordPress: its export (WXR, a dialect of RSS), and what `wp comment list` writes.

The export leaves spam out, a list has it where it was asked for with `--status=any`.
"""

from collections.abc import Iterator, Mapping

from moderation.domain import ModeratorReason
from moderation.imports.markup import Element, elements
from moderation.imports.plain import plain_text
from moderation.imports.records import (
    PERSON,
    STATE,
    WEAK,
    Imported,
    Raw,
    Skipped,
    Verdict,
    imported,
)
from moderation.imports.rows import Row, rows
from moderation.imports.source import Source

_WANTED = ("channel/item", "item/link", "item/title", "item/post_id", "item/comment")
_NOT_OF_READERS = frozenset({"pingback", "trackback", "note", "order_note", "review_reply"})


def read_export(source: Source) -> Iterator[Imported | Skipped]:
    """The comments of a WXR file."""
    post: dict[str, str] = {}
    for element in elements(source, *_WANTED, several="commentmeta"):
        if element.name == "item":
            post = {}
        elif element.name != "comment":
            post[element.name] = element.text.strip()
        else:
            yield _comment(element.line, _fields(element), post)


def _fields(comment: Element) -> Row:
    fields = {name: child.text for name, child in comment.children.items()}
    meta = {one.get("meta_key"): one.get("meta_value") for one in comment.several}
    return fields | {name: meta[name] for name in _AKISMET if name in meta}


def read_list(source: Source) -> Iterator[Imported | Skipped]:
    """The comments that `wp comment list` wrote, as JSON or CSV."""
    for found in rows(source):
        if isinstance(found, Skipped):
            yield found
            continue
        line, row = found
        named = {name.lower(): value for name, value in row.items()}
        page = named.get("url", "").partition("#")[0]
        post = {"link": page, "post_id": named.get("comment_post_id", "")}
        yield _comment(line, named, post)


_AKISMET = ("akismet_user_result", "akismet_result")


def _comment(line: int, row: Mapping[str, str], post: Mapping[str, str]) -> Imported | Skipped:
    kind = row.get("comment_type", "").strip()
    if kind in _NOT_OF_READERS:
        return Skipped(f"a {kind.replace('_', ' ')}, not a reader's comment", line)
    verdict = _verdict(row)
    if isinstance(verdict, str):
        return Skipped(verdict, line)
    parent = row.get("comment_parent", "").strip()
    raw = Raw(
        line=line,
        text=plain_text(row.get("comment_content", ""), line_feeds=True),
        origin_id=row.get("comment_id", "").strip(),
        name=row.get("comment_author", ""),
        email=row.get("comment_author_email", ""),
        website=row.get("comment_author_url", ""),
        page=post.get("link") or post.get("post_id", ""),
        page_title=post.get("title", ""),
        parent="" if parent == "0" else parent,
        created=row.get("comment_date_gmt") or row.get("comment_date", ""),
        ip=row.get("comment_author_ip") or row.get("comment_author_IP", ""),
        user_agent=row.get("comment_agent", ""),
    )
    return imported(raw, verdict)


def _verdict(row: Mapping[str, str]) -> Verdict | str:
    """What WordPress says of it, a person's word before a machine's; or why that is nothing."""
    state = row.get("comment_approved", "").strip().lower()
    person, machine = (row.get(name, "").strip().lower() for name in _AKISMET)
    if state in ("trash", "post-trashed"):
        return Verdict(1.0, WEAK)
    if person in ("true", "false"):
        return _spam_or_not(person == "true", PERSON)
    if state in ("1", "approve", "approved"):
        return Verdict(0.0, WEAK if machine == "true" else STATE)
    if state == "spam":
        return _spam_or_not(True, WEAK if machine == "true" else STATE)
    if state in ("0", "hold"):
        return "nobody has decided about it there"
    return "without a status"


def _spam_or_not(spam: bool, strength: float) -> Verdict:
    return Verdict(float(spam), strength, ModeratorReason.SPAM if spam else "")
