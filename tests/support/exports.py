"""Export files of other systems, made up."""

from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

PAGE = "https://old.example/2024/bridge/"

HEAD = '<?xml version="1.0" encoding="UTF-8" ?>\n<!-- generated -->\n'


def wp_comment(number: int, approved: str = "1", **fields: Any) -> str:
    """A comment as WordPress exports it; `meta` are its commentmeta."""
    meta = fields.pop("meta", {})
    values = {
        "author": "Zoë",
        "author_email": "zoe@example.org",
        "author_url": "",
        "author_IP": "203.0.113.7",
        "date_gmt": f"2024-06-06 08:00:{number % 60:02}",
        "content": f"What number {number} has to say.",
        "type": "comment",
        "parent": "0",
    } | fields
    inner = f"<wp:comment_id>{number}</wp:comment_id>"
    inner += f"<wp:comment_approved><![CDATA[{approved}]]></wp:comment_approved>"
    for name, value in values.items():
        inner += f"<wp:comment_{name}>{escape(str(value))}</wp:comment_{name}>"
    for name, value in meta.items():
        inner += f"<wp:commentmeta><wp:meta_key>{name}</wp:meta_key>"
        inner += f"<wp:meta_value><![CDATA[{value}]]></wp:meta_value></wp:commentmeta>"
    return f"<wp:comment>{inner}</wp:comment>\n"


def wxr(*comments: str, page: str = PAGE) -> str:
    """An export with these comments below one page."""
    return (
        HEAD + '<rss version="2.0" xmlns:wp="http://wordpress.org/export/1.2/"><channel>'
        "<title>Old</title><link>https://old.example</link>\n"
        f"<item><title>The bridge</title><link>{page}</link><wp:post_id>7</wp:post_id>\n"
        f"{''.join(comments)}</item></channel></rss>\n"
    )


def disqus(*posts: str) -> str:
    """An export of Disqus with one thread, "10", and these posts."""
    return (
        HEAD + '<disqus xmlns="http://disqus.com" xmlns:dsq="http://disqus.com/disqus-internals">\n'
        f'<thread dsq:id="10"><id>bridge</id><link>{PAGE}</link><title>The bridge</title></thread>'
        f"\n{''.join(posts)}</disqus>\n"
    )


def post(
    number: int, message: str, more: str = "", *, spam: bool = False, deleted: bool = False
) -> str:
    """A post of Disqus."""
    return (
        f'<post dsq:id="{number}"><id/><message><![CDATA[{message}]]></message>'
        f"<createdAt>2024-06-06T08:00:{number % 60:02}Z</createdAt>"
        f"<isDeleted>{str(deleted).lower()}</isDeleted><isSpam>{str(spam).lower()}</isSpam>"
        "<author><name>Zoë</name><email>zoe@example.org</email></author>"
        f'<thread dsq:id="10"/>{more}</post>\n'
    )


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    """The path, with a file there."""
    path.write_bytes(text.encode(encoding))
    return path
