"""The tables. Times are milliseconds since 1970 in UTC (see `clock`)."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    literal_column,
    or_,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from moderation.domain import ActorKind, Audit, EventKind, Selection, Status

# SQLite numbers rows only in a column declared INTEGER.
RowId = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    """Constraints get names, so that a migration can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Site(Base):
    """A website whose comments are moderated here; nothing crosses from one to another."""

    __tablename__ = "site"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    """Public: a form that a browser posts names its site by it."""
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What the site set; `policy.SiteSettings` validates it and fills in the rest."""
    created_at: Mapped[int] = mapped_column(BigInteger)


class SiteKey(Base):
    """A site's bearer key. Only its SHA-256 is kept."""

    __tablename__ = "site_key"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    hint: Mapped[str] = mapped_column(String(8))
    """The key's last characters, to tell keys apart."""
    created_at: Mapped[int] = mapped_column(BigInteger)
    revoked_at: Mapped[int | None] = mapped_column(BigInteger)


class Account(Base):
    """A person who signs in."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[int] = mapped_column(BigInteger)
    session_nonce: Mapped[str] = mapped_column(String(32), server_default="")
    """Its sessions carry it: a new one ends them all."""


class Membership(Base):
    """A site that a moderator moderates. Administrators need none."""

    __tablename__ = "membership"

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), primary_key=True)


class ApiToken(Base):
    """What a program sends to act for an account. Only its SHA-256 is kept."""

    __tablename__ = "api_token"
    __table_args__ = (Index("ix_api_token_account_id", "account_id"),)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    label: Mapped[str] = mapped_column(String(64))
    """What it is for, in its owner's words."""
    hint: Mapped[str] = mapped_column(String(8))
    """The token's last characters, to tell tokens apart."""
    created_at: Mapped[int] = mapped_column(BigInteger)


class SignInFailures(Base):
    """Failed tries to sign in, by name or by address: see `guessing`."""

    __tablename__ = "sign_in_failures"
    __table_args__ = (Index("ix_sign_in_failures_last_at", "last_at"),)

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """A digest: who mistypes may have typed a password where the name belongs."""
    count: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[int] = mapped_column(BigInteger)


class SettingChange(Base):
    """Who changed what about a site, and when."""

    __tablename__ = "setting_change"
    __table_args__ = (Index("ix_setting_change_site_id", "site_id", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    at: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(String(64))
    changes: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """For each setting its name, and its value before and after."""


class Notice(Base):
    """What a site's webhook was last told of one kind of trouble: see `notices`."""

    __tablename__ = "notice"

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    """One of `notices.Kind`."""
    trouble: Mapped[bool] = mapped_column(Boolean)
    """What was last told: that there is trouble, or no more."""
    told_at: Mapped[int | None] = mapped_column(BigInteger)
    tried_at: Mapped[int | None] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(Integer)
    """Tries in a row that failed since."""


class Thread(Base):
    """The comments below one page of a site."""

    __tablename__ = "thread"
    __table_args__ = (UniqueConstraint("site_id", "page"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    page: Mapped[str] = mapped_column(String(2000))
    """The page's address or id, as the site gives it."""
    title: Mapped[str] = mapped_column(String(300), default="")
    created_at: Mapped[int] = mapped_column(BigInteger)


_PENDING = text("status = 'pending'")
_APPROVED = text("status = 'approved'")
_WAITING = text("status = 'held' OR audit = 'open'")
_DRAWN = text("propensity IS NOT NULL")
_REJECTED = text("status = 'rejected'")

# What the queue is filtered by, so that a filter that few comments pass reads the index alone.
_FILTERED_BY = (
    "site_id",
    "thread_id",
    "head",
    "reason",
    "rule",
    "score",
    "language",
    "author_id",
)


class Comment(Base):
    """What a reader wrote, and where it stands.

    Only `review` writes `status` and the columns that go with it.
    """

    __tablename__ = "comment"
    __table_args__ = (
        UniqueConstraint("site_id", "idempotency_key"),
        # Each status has indexes of its own: with one of all statuses at hand, SQLite would sort a
        # hundred thousand held comments rather than read them in order.
        Index(
            "ix_comment_pending",
            "id",
            sqlite_where=_PENDING,
            postgresql_where=_PENDING,
        ),
        Index(
            "ix_comment_approved",
            "id",
            "site_id",
            sqlite_where=_APPROVED,
            postgresql_where=_APPROVED,
        ),
        Index(
            "ix_comment_rejected",
            "id",
            "site_id",
            sqlite_where=_REJECTED,
            postgresql_where=_REJECTED,
        ),
        Index("ix_comment_recent", "site_id", "id"),
        # Of approved comments only: taking a comment in, or holding it, does not touch them.
        Index(
            "ix_comment_listing",
            "thread_id",
            "root_id",
            "id",
            sqlite_where=_APPROVED,
            postgresql_where=_APPROVED,
        ),
        Index(
            "ix_comment_author",
            "site_id",
            "author_id",
            "audit",
            sqlite_where=_APPROVED,
            postgresql_where=_APPROVED,
        ),
        Index(
            "ix_comment_rejected_author",
            "author_id",
            "site_id",
            sqlite_where=_REJECTED,
            postgresql_where=_REJECTED,
        ),
        # Of what waits for a moderator only: the queue in each of its orders.
        Index(
            "ix_comment_held",
            "id",
            *_FILTERED_BY,
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
        Index(
            "ix_comment_held_uncertainty",
            "uncertainty",
            "id",
            *_FILTERED_BY,
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
        Index(
            "ix_comment_held_harm",
            "harm",
            "id",
            *_FILTERED_BY,
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
        Index(
            "ix_comment_held_author",
            "author_id",
            "site_id",
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
        Index(
            "ix_comment_drawn",
            "site_id",
            "audit",
            "id",
            "propensity",
            sqlite_where=_DRAWN,
            postgresql_where=_DRAWN,
        ),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """A version 7 UUID in hexadecimal: in order of arrival, with 74 random bits."""
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    thread_id: Mapped[int] = mapped_column(ForeignKey("thread.id"))
    parent_id: Mapped[str | None] = mapped_column(String(32))
    root_id: Mapped[str] = mapped_column(String(32))
    """The comment that started the conversation; its own id where it answers no other."""
    created_at: Mapped[int] = mapped_column(BigInteger)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))

    name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(254))
    """Never published: see promise 4 of the design."""
    author_id: Mapped[str] = mapped_column(String(32))
    """The same for the same address on the same site, and not the address."""
    website: Mapped[str] = mapped_column(String(500), default="")
    text: Mapped[str] = mapped_column(Text)
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(500), default="")
    referrer: Mapped[str] = mapped_column(String(2000), default="")

    status: Mapped[str] = mapped_column(String(8), default=Status.PENDING)
    reason: Mapped[str] = mapped_column(String(64), default="")
    """Why it stands there: a rule, a reason of the classifier, or a moderator's."""
    score: Mapped[float | None] = mapped_column(Float)
    """Probability that a moderator would not publish it, when it was decided."""
    version: Mapped[int] = mapped_column(Integer, default=0)
    """Counts the changes of status, so that a stale change is noticed."""
    sweeps: Mapped[int] = mapped_column(Integer, default=0)
    """How often it was found pending for too long."""
    fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary)
    """See `similarity`: how repeats are found; set when the comment was decided."""
    head: Mapped[str] = mapped_column(String(16), server_default="")
    """The head of the model whose probability went farthest above its threshold, if one did."""
    rule: Mapped[str] = mapped_column(String(32), server_default="")
    """The rule that spoke first, if one did."""
    uncertainty: Mapped[float] = mapped_column(Float, server_default="1")
    """See `ranking`, as `harm`: what the queue is sorted by."""
    harm: Mapped[float] = mapped_column(Float, server_default="0")
    language: Mapped[str] = mapped_column(String(8), server_default="")
    """ISO 639-1 code of the language it was found to be in; empty where that is not known."""
    audit: Mapped[str] = mapped_column(String(8), server_default="")
    """One of `domain.Audit`; empty for most."""
    propensity: Mapped[float | None] = mapped_column(Float)
    """The probability with which it was drawn for the audit; None for what was not drawn."""
    trap: Mapped[str] = mapped_column(String(16), server_default="")
    """The `domain.Trap` that its sender fell into; empty for none."""


def is_approved(comment: type[Comment]) -> ColumnElement[bool]:
    """The condition that a comment is published, written out: a database cannot tell that a bound
    parameter would be what the indexes of approved comments are made for."""
    return comment.status == literal_column(f"'{Status.APPROVED}'")


def is_pending(comment: type[Comment]) -> ColumnElement[bool]:
    """The condition that nobody has decided yet, written out as in `is_approved`."""
    return comment.status == literal_column(f"'{Status.PENDING}'")


def is_held(comment: type[Comment]) -> ColumnElement[bool]:
    """The condition that a comment is held, written out as in `is_approved`."""
    return comment.status == literal_column(f"'{Status.HELD}'")


def is_waiting(comment: type[Comment]) -> ColumnElement[bool]:
    """The condition that a comment stands before the moderators, held or drawn for the audit,
    written out as in `is_approved`."""
    return or_(is_held(comment), is_open_audit(comment))


def is_open_audit(comment: type[Comment]) -> ColumnElement[bool]:
    """The condition that a comment was drawn for the audit and nobody has spoken yet, written out
    as in `is_approved`."""
    return comment.audit == literal_column(f"'{Audit.OPEN}'")


def is_rejected(comment: type[Comment]) -> ColumnElement[bool]:
    """The condition that a comment is rejected, written out as in `is_approved`."""
    return comment.status == literal_column(f"'{Status.REJECTED}'")


class Similar(Base):
    """Where held comments that resemble one another meet: see `similarity.bands`."""

    __tablename__ = "similar"
    __table_args__ = ({"sqlite_with_rowid": False},)

    band: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    comment_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)


class AuthorStanding(Base):
    """What a moderator thinks of an author; no row for most."""

    __tablename__ = "author_standing"

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), primary_key=True)
    author_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    standing: Mapped[str] = mapped_column(String(8))
    at: Mapped[int] = mapped_column(BigInteger)
    moderator: Mapped[str] = mapped_column(String(64))


_BY_PERSON = text("actor_kind <> 'worker'")
_REMARK = text("kind <> 'decision'")


class Event(Base):
    """What was done about a comment: the audit trail, and the source of labels.

    Most change its status; `EventKind` tells which do not, and for those `to_status` is the status
    the comment had.
    """

    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_comment_id", "comment_id", "id"),
        Index("ix_event_site_id", "site_id", "id"),
        Index("ix_event_at", "at"),
        # Of people's decisions only: the many of the worker do not touch it.
        Index(
            "ix_event_moderator",
            "actor",
            "id",
            sqlite_where=_BY_PERSON,
            postgresql_where=_BY_PERSON,
        ),
        Index(
            "ix_event_remark",
            "kind",
            "id",
            sqlite_where=_REMARK,
            postgresql_where=_REMARK,
        ),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    comment_id: Mapped[str] = mapped_column(ForeignKey("comment.id"))
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    """The comment's site, so that the events of a site are found without its comments."""
    kind: Mapped[str] = mapped_column(String(16), server_default="decision")
    at: Mapped[int] = mapped_column(BigInteger)
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(64))
    from_status: Mapped[str] = mapped_column(String(8))
    to_status: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str] = mapped_column(String(64))
    model: Mapped[str | None] = mapped_column(String(100))
    """Version of the model that scored it; none for a person's decision."""
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What an automatic decision stood on, at that time (see `policy.Decision`); what a moderator
    wrote or did besides (see `review`)."""


def is_remark(event: type[Event]) -> ColumnElement[bool]:
    """The condition that an event is no decision, written out as in `is_approved`."""
    return event.kind != literal_column(f"'{EventKind.DECISION}'")


def is_by_person(event: type[Event]) -> ColumnElement[bool]:
    """The condition that it was not the worker, written out as in `is_approved`. SQLite does not
    conclude it from another that says who it was."""
    return event.actor_kind != literal_column(f"'{ActorKind.WORKER}'")


class DayFigures(Base):
    """What happened on one site in one day that is over, counted: see `numbers`."""

    __tablename__ = "day_figures"

    day: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """Days since 1970-01-01, UTC."""
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), primary_key=True)
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
    """See `numbers.Figures.to_json`."""


class Export(Base):
    """Who took events out of the service, and whether readers' addresses went with them."""

    __tablename__ = "export"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    at: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(String(64))
    form: Mapped[str] = mapped_column(String(8))
    """`csv` or `jsonl`."""
    filters: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """The filters that were set, as the form sent them."""
    with_emails: Mapped[bool] = mapped_column(Boolean)


class Example(Base):
    """A labelled comment that was never posted here: it teaches, and stands in no queue."""

    __tablename__ = "example"
    __table_args__ = (UniqueConstraint("site_id", "origin", "origin_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    origin: Mapped[str] = mapped_column(String(64))
    """The system or the file that it came from."""
    origin_id: Mapped[str] = mapped_column(String(255))
    """What it is called there, so that it comes in once."""
    page: Mapped[str] = mapped_column(String(2000), default="")
    name: Mapped[str] = mapped_column(String(100), default="")
    website: Mapped[str] = mapped_column(String(500), default="")
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[int] = mapped_column(BigInteger)
    """When it was written; when it was imported, where that is not known."""


_OF_AUDIT = text("selection = 'audit'")


class Label(Base):
    """Somebody's word on whether a comment may be published: see `labels`.

    About a comment or about an example, never both.
    """

    __tablename__ = "label"
    __table_args__ = (
        Index("ix_label_site_id", "site_id", "id"),
        Index("ix_label_comment_id", "comment_id", "id"),
        Index("ix_label_example_id", "example_id", "id"),
        Index(
            "ix_label_audit",
            "comment_id",
            "site_id",
            sqlite_where=_OF_AUDIT,
            postgresql_where=_OF_AUDIT,
        ),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    comment_id: Mapped[str | None] = mapped_column(ForeignKey("comment.id"))
    example_id: Mapped[int | None] = mapped_column(ForeignKey("example.id"))
    source: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(64))
    """A moderator's name, a client's protocol, an import's origin, a rule."""
    at: Mapped[int] = mapped_column(BigInteger)
    unwanted: Mapped[float] = mapped_column(Float)
    """1: must not be published; 0: may be; between them where people are divided."""
    strength: Mapped[float] = mapped_column(Float)
    """How much it counts as evidence, from 0 to 1."""
    reason: Mapped[str] = mapped_column(String(64))
    selection: Mapped[str] = mapped_column(String(16))
    propensity: Mapped[float] = mapped_column(Float)
    """The probability with which a comment selected in this way was looked at."""
    withdrawn_at: Mapped[int | None] = mapped_column(BigInteger)


class SiteModel(Base):
    """What was trained on one site's labels, on top of a general model: see `site_models`."""

    __tablename__ = "site_model"
    __table_args__ = (UniqueConstraint("site_id", "version"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    version: Mapped[str] = mapped_column(String(64))
    base: Mapped[str] = mapped_column(String(100))
    """Version of the general model that it was trained on."""
    made_at: Mapped[int] = mapped_column(BigInteger)
    made_by: Mapped[str] = mapped_column(String(64))
    """Who or what asked for it."""
    labels: Mapped[int] = mapped_column(Integer)
    """How many it was trained on."""
    last_label_id: Mapped[int] = mapped_column(BigInteger)
    """The latest label that was there."""
    recommended: Mapped[bool] = mapped_column(Boolean)
    """Whether the gate found that it may take the place of what was current then."""
    report: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What the gate found: `sentences` in plain words, and `figures`."""
    promoted_at: Mapped[int | None] = mapped_column(BigInteger)
    """When it last became the current one; none if it never was."""
    refused_at: Mapped[int | None] = mapped_column(BigInteger)
    problem: Mapped[str] = mapped_column(String(300), server_default="")
    """Why it cannot be used, where a process found that it cannot."""
    # Last: SQLite reads a row up to the column that is asked for.
    artifact: Mapped[bytes] = mapped_column(LargeBinary)
    held_out: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Scores of the comments that it was trained on: `held_out.HeldOut.to_bytes`."""


class SiteChoice(Base):
    """Which models a site uses; a site without a row uses the general one alone."""

    __tablename__ = "site_choice"

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), primary_key=True)
    current_id: Mapped[int | None] = mapped_column(ForeignKey("site_model.id"))
    """What decides; none: the general model alone."""
    shadow_id: Mapped[int | None] = mapped_column(ForeignKey("site_model.id"))
    """What scores beside it, and decides nothing."""
    rescored_to: Mapped[str | None] = mapped_column(String(32))
    """Held comments up to this one were scored again since the last change of what decides; none
    when all were."""


class ModelChange(Base):
    """Who changed which model decides, shadows or is refused, and when."""

    __tablename__ = "model_change"
    __table_args__ = (Index("ix_model_change_site_id", "site_id", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    at: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(String(64))
    deed: Mapped[str] = mapped_column(String(16))
    from_id: Mapped[int | None] = mapped_column(ForeignKey("site_model.id"))
    to_id: Mapped[int | None] = mapped_column(ForeignKey("site_model.id"))


_UNFINISHED = text("state IN ('queued', 'running')")


class TrainingRun(Base):
    """One training of a site's model, from when it was asked for: see `training_runs`."""

    __tablename__ = "training_run"
    __table_args__ = (
        Index("ix_training_run_site_id", "site_id", "id"),
        # One at a time.
        Index(
            "ix_training_run_unfinished",
            "site_id",
            unique=True,
            sqlite_where=_UNFINISHED,
            postgresql_where=_UNFINISHED,
        ),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    state: Mapped[str] = mapped_column(String(16))
    asked_by: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[int] = mapped_column(BigInteger)
    started_at: Mapped[int | None] = mapped_column(BigInteger)
    beat_at: Mapped[int | None] = mapped_column(BigInteger)
    """When it last gave a sign of life."""
    ended_at: Mapped[int | None] = mapped_column(BigInteger)
    step: Mapped[str] = mapped_column(String(64), server_default="")
    """What it does, in words."""
    done: Mapped[float] = mapped_column(Float, server_default="0")
    """The share of its work that is done."""
    outcome: Mapped[str] = mapped_column(String(500), server_default="")
    """What came of it, in words."""
    last_label_id: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The latest label that was there when it began."""
    model_id: Mapped[int | None] = mapped_column(ForeignKey("site_model.id"))


class ShadowScore(Base):
    """What a model that shadows would have done about a comment, beside what was done."""

    __tablename__ = "shadow_score"
    __table_args__ = (
        Index("ix_shadow_score_comment_id", "comment_id"),
        {"sqlite_with_rowid": False},
    )

    model_id: Mapped[int] = mapped_column(
        ForeignKey("site_model.id"), primary_key=True, autoincrement=False
    )
    comment_id: Mapped[str] = mapped_column(ForeignKey("comment.id"), primary_key=True)
    at: Mapped[int] = mapped_column(BigInteger)
    score: Mapped[float | None] = mapped_column(Float)
    status: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str] = mapped_column(String(64))
    live_model: Mapped[str | None] = mapped_column(String(100))
    """The version that decided."""
    live_score: Mapped[float | None] = mapped_column(Float)
    live_status: Mapped[str] = mapped_column(String(8))
    live_reason: Mapped[str] = mapped_column(String(64))


class OperatingPoint(Base):
    """The thresholds of one model on one site that follow from the site's goals: see `goals`."""

    __tablename__ = "operating_point"

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), primary_key=True)
    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    """The model's version."""
    at: Mapped[int] = mapped_column(BigInteger)
    """When the evidence was gathered."""
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What labels say about every threshold: `goals.Evidence.to_json`."""
    approve_precision: Mapped[float | None] = mapped_column(Float)
    """The goals that the thresholds were worked out for, as the site had them then."""
    reject_precision: Mapped[float | None] = mapped_column(Float)
    approve_below: Mapped[float | None] = mapped_column(Float)
    reject_from: Mapped[float | None] = mapped_column(Float)


_WAITING = text("state = 'waiting'")
_DEAD = text("state = 'dead'")


class Webhook(Base):
    """An address of a site that is told what becomes of its comments: see `webhooks`."""

    __tablename__ = "webhook"
    __table_args__ = (Index("ix_webhook_site_id", "site_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    url: Mapped[str] = mapped_column(String(500))
    types: Mapped[list[str]] = mapped_column(JSON)
    """The types of messages that it gets."""
    secret: Mapped[str] = mapped_column(String(100))
    """Signs what is sent, so it is kept as it is."""
    earlier_secret: Mapped[str] = mapped_column(String(100), server_default="")
    earlier_until: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """Until then the secret before this one signs too."""
    created_at: Mapped[int] = mapped_column(BigInteger)
    gone_at: Mapped[int | None] = mapped_column(BigInteger)
    """When it answered 410 Gone: it gets nothing more."""


class Delivery(Base):
    """A message on its way to a site, or that came there: see `deliveries`."""

    __tablename__ = "delivery"
    __table_args__ = (
        Index("ix_delivery_site_id", "site_id", "id"),
        Index(
            "ix_delivery_waiting",
            "site_id",
            "webhook_id",
            "due_at",
            # For nothing but this index to be read, once a second.
            "state",
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
        Index("ix_delivery_dead", "site_id", "id", sqlite_where=_DEAD, postgresql_where=_DEAD),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """A version 7 UUID; the same for every try."""
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    webhook_id: Mapped[int | None] = mapped_column(ForeignKey("webhook.id"))
    """None for what goes, unsigned, to an address of its own."""
    url: Mapped[str] = mapped_column(String(2000))
    """That address; empty for what goes to a webhook."""
    type: Mapped[str] = mapped_column(String(32))
    comment_id: Mapped[str | None] = mapped_column(String(32))
    """The comment that it speaks of."""
    content_type: Mapped[str] = mapped_column(String(64))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(9))
    due_at: Mapped[int] = mapped_column(BigInteger)
    """When it is tried next."""
    expires_at: Mapped[int] = mapped_column(BigInteger)
    """When it is given up."""
    tries: Mapped[int] = mapped_column(Integer)
    tried_at: Mapped[int | None] = mapped_column(BigInteger)
    answer: Mapped[int | None] = mapped_column(Integer)
    """HTTP status of the last answer."""
    took: Mapped[int | None] = mapped_column(Integer)
    """How long the last try took, in milliseconds."""
    problem: Mapped[str] = mapped_column(String(100))
    """Why the last try failed; empty where it did not."""


def is_undelivered(delivery: type[Delivery]) -> ColumnElement[bool]:
    """The condition that a message has not come to its site yet, written out as in
    `is_approved`."""
    return delivery.state == literal_column("'waiting'")


def is_dead(delivery: type[Delivery]) -> ColumnElement[bool]:
    """The condition that a message was given up, written out as in `is_approved`."""
    return delivery.state == literal_column("'dead'")


class ImportRun(Base):
    """A file that was uploaded to be imported, and what became of it: see `import_runs`."""

    __tablename__ = "import_run"
    __table_args__ = (Index("ix_import_run_site_id", "site_id", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    at: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(String(64))
    file: Mapped[str] = mapped_column(String(255))
    """What the file was called where it came from."""
    stored: Mapped[str] = mapped_column(String(64))
    """What it is called in the data folder, as long as it is there."""
    format: Mapped[str] = mapped_column(String(16))
    """Empty: not known."""
    origin: Mapped[str] = mapped_column(String(64))
    pages: Mapped[dict[str, str]] = mapped_column(JSON, default=dict, server_default="{}")
    """By how a page's address begins there, how it begins here."""
    history: Mapped[bool] = mapped_column(Boolean)
    state: Mapped[str] = mapped_column(String(16))
    share: Mapped[float] = mapped_column(Float)
    """How much of the file was read, from 0 to 1."""
    report: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """See `importing.Report`."""
    updated_at: Mapped[int] = mapped_column(BigInteger)


def is_of_audit(label: type[Label]) -> ColumnElement[bool]:
    """The condition that a label comes of the random audit, written out as in `is_approved`."""
    return label.selection == literal_column(f"'{Selection.AUDIT}'")


class Callback(Base):
    """Where an Akismet client wants to hear what a moderator decides later."""

    __tablename__ = "callback"

    comment_id: Mapped[str] = mapped_column(ForeignKey("comment.id"), primary_key=True)
    url: Mapped[str] = mapped_column(String(2000))
    key: Mapped[str] = mapped_column(String(255))
    """The site key that the call came with: the client knows by it that the message is ours."""
    guid: Mapped[str] = mapped_column(String(32))
    """What the answer to the check was called."""


class SiteSecret(Base):
    """What another system signs its calls with."""

    __tablename__ = "site_secret"

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(16), primary_key=True)
    secret: Mapped[str] = mapped_column(String(255))
    """As it is: a signature cannot be checked with less."""
