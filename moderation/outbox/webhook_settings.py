"""Changes of a site's webhooks, with the record of who changed what."""

from collections.abc import Sequence

from sqlalchemy import Connection

from moderation import site_settings
from moderation.addresses import web_address
from moderation.errors import FieldError, InvalidInput
from moderation.outbox import webhooks
from moderation.outbox.webhooks import CHOOSABLE, Endpoint
from moderation.site_settings import change, record

URL_LENGTH = 500


def add(
    connection: Connection, *, name: str, url: str, types: Sequence[str], actor: str
) -> tuple[int, str]:
    """A new webhook of the site `name`; its id and its secret, to be shown this once.

    Raises:
        NotFound: there is no such site.
        InvalidInput: the address is none, or a type is not known, or none was chosen.
    """
    site = site_settings.site_named(connection, name, locked=True)
    found = webhooks.add(connection, site_id=site.id, url=_address(url), types=_known_types(types))
    record(connection, site.id, actor, [change("webhook", None, url)])
    return found


def rotate(connection: Connection, *, name: str, webhook_id: int, actor: str) -> str:
    """A new secret, to be shown this once; the present one signs too for a day.

    Raises:
        NotFound: there is no such site, or it has no such webhook.
    """
    site_id, endpoint = _own(connection, name, webhook_id)
    secret = webhooks.rotate(connection, webhook_id=webhook_id)
    entry = change("webhook secret", None, f"a new one for {endpoint.url}")
    record(connection, site_id, actor, [entry])
    return secret


def revive(connection: Connection, *, name: str, webhook_id: int, actor: str) -> None:
    """Send to a webhook again that answered 410 Gone.

    Raises:
        NotFound: there is no such site, or it has no such webhook.
    """
    site_id, endpoint = _own(connection, name, webhook_id)
    webhooks.revive(connection, webhook_id=webhook_id)
    record(connection, site_id, actor, [change("webhook", None, endpoint.url)])


def remove(connection: Connection, *, name: str, webhook_id: int, actor: str) -> None:
    """Forget a webhook, and what was sent there.

    Raises:
        NotFound: there is no such site, or it has no such webhook.
    """
    site_id, endpoint = _own(connection, name, webhook_id)
    webhooks.remove(connection, webhook_id=webhook_id)
    record(connection, site_id, actor, [change("webhook", endpoint.url, None)])


def _own(connection: Connection, name: str, webhook_id: int) -> tuple[int, Endpoint]:
    site = site_settings.site_named(connection, name, locked=True)
    return site.id, webhooks.endpoint(connection, site_id=site.id, webhook_id=webhook_id)


def _address(url: str) -> str:
    try:
        address = web_address(url)
    except ValueError as error:
        raise InvalidInput(FieldError("url", str(error))) from None
    if len(address) > URL_LENGTH:
        raise InvalidInput(FieldError("url", f"is too long: at most {URL_LENGTH} characters"))
    return address


def _known_types(types: Sequence[str]) -> list[str]:
    chosen = [type_ for type_ in CHOOSABLE if type_ in types]
    if not chosen or len(chosen) < len(set(types)):
        wanted = ", ".join(CHOOSABLE)
        raise InvalidInput(FieldError("types", f"has to be one or more of {wanted}"))
    return [str(type_) for type_ in chosen]
