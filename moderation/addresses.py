"""Web addresses that people type."""

from urllib.parse import urlsplit


def origin_of(address: str) -> str | None:
    """Scheme, host and port of a web address; None for anything else."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else None


def web_address(text: str) -> str:
    """`text`, if it is the address of something on the web.

    Raises:
        ValueError: it is not; the message says what is wanted.
    """
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or "@" in parts.netloc or any(map(str.isspace, text)):
        raise ValueError(f"has to look like https://courier.example, not like {text}")
    return text
