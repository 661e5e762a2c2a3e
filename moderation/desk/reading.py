"""Who is reading which held comment: short leases in Redis, so that two moderators do not read the
same one.

A lease keeps nobody from deciding, and ends by itself. Without Redis nobody sees who reads what,
and the desk works all the same.
"""

import logging
from collections.abc import Mapping, Sequence

from redis import Redis
from redis.exceptions import RedisError

LEASE = 20
"""Seconds that a lease lasts; the desk renews it every few seconds while the card is looked at."""

log = logging.getLogger(__name__)


class Readers:
    """The leases of one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def claim(self, comment_id: str, name: str) -> str:
        """Take or renew the lease of a comment; who has it now, which may be somebody else."""
        try:
            # Two commands, between which a lease may end or change hands: at worst two people read
            # one card, which the version of the comment guards against.
            if self._redis.set(_key(comment_id), name, ex=LEASE, nx=True):
                return name
            reader = _text(self._redis.get(_key(comment_id)))
            if reader == name:
                self._redis.expire(_key(comment_id), LEASE)
        except RedisError as error:
            log.warning("nobody sees who reads what: %s", type(error).__name__)
            return name
        return reader or name

    def release(self, comment_id: str, name: str) -> None:
        """Give the lease of a comment back, if it is this moderator's."""
        try:
            if _text(self._redis.get(_key(comment_id))) == name:
                self._redis.delete(_key(comment_id))
        except RedisError as error:
            log.warning("a lease was not given back: %s", type(error).__name__)

    def of(self, comment_ids: Sequence[str]) -> Mapping[str, str]:
        """Who reads which of these comments."""
        if not comment_ids:
            return {}
        try:
            names = self._redis.mget([_key(comment_id) for comment_id in comment_ids])
        except RedisError as error:
            log.warning("nobody sees who reads what: %s", type(error).__name__)
            return {}
        return {
            comment_id: _text(name)
            for comment_id, name in zip(comment_ids, names, strict=True)
            if name is not None
        }


def _key(comment_id: str) -> str:
    return f"moderation:reading:{comment_id}"


def _text(value: bytes | str | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""
