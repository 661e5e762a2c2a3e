"""Traps for programs that fill in forms, in place of a captcha.

A form carries a token: who made it and when, signed. It is good once, for one site, and not before
a person could have typed. A site may ask for work besides: the challenge is ALTCHA's (version 2,
PBKDF2), whose solution belongs to the token. What falls into a trap is never refused, so that no
person's comment is lost: `rules` holds it.
"""

import logging
import secrets
from dataclasses import dataclass
from typing import Any

from altcha import Payload, create_challenge, verify_solution
from itsdangerous import BadData, URLSafeSerializer
from redis import Redis
from redis.exceptions import RedisError

from moderation.clock import HOUR, SECOND, now_ms
from moderation.domain import Trap

log = logging.getLogger(__name__)

WAIT = 3 * SECOND
"""Nobody reads the form, and types a name, an address and a comment, in less."""

LASTS = 24 * HOUR
"""As long as a page with a half-written comment may stay open."""

# Iterations of PBKDF2 for one try; one try in 256 succeeds.
_COST = 5_000
_PREFIX = "00"

_LONGEST = 4_000


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a form needs before it may be sent."""

    token: str
    altcha: dict[str, Any] | None
    """ALTCHA's challenge as its protocol has it; None where the site asks for no work."""


class Challenges:
    """Makes challenges, and looks at what comes back."""

    def __init__(self, secret: str, redis: Redis) -> None:
        self._redis = redis
        self._signer = URLSafeSerializer(secret, salt="form-token")
        self._hmac_secret = f"altcha:{secret}"

    def make(self, site_id: int, *, proof_of_work: bool) -> Challenge:
        """A new challenge for a form of the site."""
        issued = now_ms()
        nonce = secrets.token_urlsafe(12)
        token = str(self._signer.dumps([site_id, issued, nonce]))
        if not proof_of_work:
            return Challenge(token, None)
        work = create_challenge(
            "PBKDF2/SHA-256",
            _COST,
            key_prefix=_PREFIX,
            expires_at=(issued + LASTS) // SECOND,
            data={"form": nonce},
            hmac_secret=self._hmac_secret,
        )
        return Challenge(token, work.to_dict())

    def trap(self, site_id: int, *, token: str, altcha: str, honeypot: str) -> Trap | None:
        """The trap that a form fell into. A token that was looked at is used up.

        Args:
            altcha: ALTCHA's payload, the solved challenge in base 64; or empty.
            honeypot: what was typed into the field that people do not see.
        """
        if honeypot:
            return Trap.HONEYPOT
        if not token:
            return Trap.NO_FORM
        try:
            for_site, issued, nonce = self._signer.loads(token)
        except BadData:
            return Trap.BAD_FORM
        age = now_ms() - issued
        if for_site != site_id or age > LASTS or not self._is_first(nonce):
            return Trap.BAD_FORM
        if age < WAIT:
            return Trap.TOO_FAST
        return None if self._has_worked(altcha, nonce) else Trap.NO_PROOF

    def _is_first(self, nonce: str) -> bool:
        try:
            return bool(self._redis.set(f"form:{nonce}", 1, nx=True, px=LASTS))
        except RedisError:
            log.warning("Redis does not say whether a form's token is new: it counts as used")
            return False

    def _has_worked(self, altcha: str, nonce: str) -> bool:
        if not 0 < len(altcha) <= _LONGEST:
            return False
        try:
            payload = Payload.from_base64(altcha)
            solved = verify_solution(payload, self._hmac_secret).verified
        except Exception:  # the library has no error of its own for a payload that is none
            return False
        return solved and payload.challenge.parameters.data == {"form": nonce}
