"""Settings: environment variables `MODERATION_*`, typed, each with a default.

`docs/settings.md` describes every one of them, and a test holds the two together.
"""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from moderation.classifier import DEFAULT_ARTIFACT
from moderation.errors import StartupError

MINIMUM_SECRET_LENGTH = 12

# Where a server that listens on every address is found on its own machine.
LOCAL_HOSTS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to


class Settings(BaseSettings):
    """The whole configuration of one process."""

    model_config = SettingsConfigDict(env_prefix="MODERATION_", frozen=True, env_ignore_empty=True)

    home: Path = Field(Path("var"), description="Folder for everything the service writes.")
    bind: str = Field(
        "127.0.0.1:8000", description="Address and port that the web server listens on."
    )
    public_url: str = Field(
        "", description="Address that browsers use, when it differs from the one bound to."
    )
    database_url: str = Field(
        "",
        description="SQLAlchemy address of the database, SQLite or PostgreSQL. "
        "Empty: the file `moderation.sqlite3` in the data folder.",
    )
    redis_url: str = Field(
        "",
        description="Address of Redis or Valkey. Empty: `moderation up` starts one in the data "
        "folder; the separate commands use `redis://127.0.0.1:6379/0`.",
    )
    site_key: SecretStr = Field(
        SecretStr(""),
        description="Key of the first site, at least 12 characters; a new one is one key more. "
        "Empty: made up and printed once.",
    )
    admin_password: SecretStr = Field(
        SecretStr(""),
        description="Password of the first administrator (`admin`), at least 12 characters. "
        "Empty: made up and printed once.",
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Signs the moderators' sessions and the forms' tokens. Empty: kept in the data "
        "folder. Set the same one where web processes run on several machines.",
    )
    session_idle_minutes: Annotated[int, Field(ge=1, le=10_080)] = Field(
        480, description="Minutes without a click after which a moderator has to sign in again."
    )
    workers: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="Worker processes that score and decide."
    )
    web_processes: Annotated[int, Field(ge=1, le=64)] = Field(
        2, description="Web server processes."
    )
    web_threads: Annotated[int, Field(ge=1, le=1024)] = Field(
        64, description="Requests that each web process answers at the same time."
    )
    sweep_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        30,
        description="How long a comment may be pending before it counts as lost on its way to a "
        "worker and is sent again, and the time between two looks for such comments.",
    )
    webhooks_to_private_addresses: bool = Field(
        False, description="Let sites' webhooks call addresses that are not public."
    )
    model: Path = Field(
        DEFAULT_ARTIFACT,
        description="The classifier's artifact. Default: the one that ships with the package.",
    )
    trusted_proxies: Annotated[int, Field(ge=0, le=8)] = Field(
        0, description="Reverse proxies in front, whose `X-Forwarded-*` headers are believed."
    )
    log_level: str = Field(
        "INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG, INFO, WARNING or ERROR."
    )

    @field_validator("site_key", "admin_password", "secret_key")
    @classmethod
    def _long_enough(cls, secret: SecretStr) -> SecretStr:
        length = len(secret.get_secret_value())
        if 0 < length < MINIMUM_SECRET_LENGTH:
            raise ValueError(f"needs at least {MINIMUM_SECRET_LENGTH} characters, has {length}")
        return secret

    @field_validator("bind")
    @classmethod
    def _host_and_port(cls, bind: str) -> str:
        host, _, port = bind.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise ValueError("needs the form ADDRESS:PORT, for example 127.0.0.1:8000")
        return bind

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        if url.startswith(("postgres://", "postgresql://")):
            # The driver that is installed; SQLAlchemy's default would be another one.
            return "postgresql+psycopg://" + url.partition("://")[2]
        if url and not url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError(
                "needs the form sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
            )
        return url

    @field_validator("redis_url")
    @classmethod
    def _known_queue(cls, url: str) -> str:
        if url and not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("needs the form redis://HOST:PORT/0, rediss://… or unix://PATH")
        return url

    @field_validator("public_url")
    @classmethod
    def _web_address(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("needs the form https://comments.example.org")
        return url

    @property
    def host(self) -> str:
        """The address to bind to, without brackets."""
        return self.bind.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to bind to."""
        return int(self.bind.rpartition(":")[2])

    @property
    def base_url(self) -> str:
        """Where a browser on this machine, or behind the configured proxy, finds the service."""
        if self.public_url:
            return self.public_url.rstrip("/")
        return f"http://{self.local_address}"

    @property
    def local_address(self) -> str:
        """Address and port at which the web server is reached on this machine."""
        host = LOCAL_HOSTS.get(self.host, self.host)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def database(self) -> str:
        """The database's address, the default filled in."""
        return self.database_url or f"sqlite:///{self.home.absolute() / 'moderation.sqlite3'}"

    @property
    def redis(self) -> str:
        """Redis's address, the default of the separately started commands filled in."""
        return self.redis_url or "redis://127.0.0.1:6379/0"

    @classmethod
    def from_environment(cls) -> Self:
        """Read the settings from the environment.

        Raises:
            StartupError: names each variable that is wrong, and what is wanted.
        """
        try:
            return cls()
        except ValidationError as error:
            problems = (
                f"MODERATION_{'_'.join(map(str, e['loc'])).upper()} {_lowered(e['msg'])}"
                for e in error.errors(include_input=False, include_url=False)
            )
            raise StartupError("; ".join(problems)) from None


def _lowered(message: str) -> str:
    return message.removeprefix("Value error, ")
