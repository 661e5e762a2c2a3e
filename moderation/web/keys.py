"""Whose key came with a request."""

from flask import request

from moderation.errors import Unauthorized
from moderation.sites import SiteRef
from moderation.web.context import services


def keyed_site() -> SiteRef:
    """The site whose key came as a bearer token.

    Raises:
        Unauthorized: there is none, or it is not known.
    """
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("send your site's key as `Authorization: Bearer KEY`")
    site = services().sites.by_key(key.strip())
    if site is None:
        raise Unauthorized("this site key is not known")
    return site
