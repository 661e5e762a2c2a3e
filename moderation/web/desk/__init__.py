"""The moderators' desk: the queue, its cards, and what is decided about them."""

from moderation.web.desk import decisions, queue
from moderation.web.desk.blueprint import blueprint

__all__ = ["blueprint", "decisions", "queue"]
