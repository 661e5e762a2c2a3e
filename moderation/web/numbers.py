"""The desk's numbers: how much comes in, what the service decides by itself, how long the rest
waits, and how often people agree with the model."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from flask import Blueprint, render_template, request
from pydantic import BaseModel, ConfigDict, Field

from moderation.clock import now_ms
from moderation.desk import numbers
from moderation.desk.event_schemas import Since
from moderation.desk.numbers import Decided, Figures, Judged, Share, share
from moderation.domain import PEOPLE, ActorKind, Status
from moderation.errors import FieldError, InvalidInput
from moderation.schemas import Line, parse
from moderation.sites import names
from moderation.web import sentences, watching
from moderation.web.context import account, services, sites_named
from moderation.web.plots import Data, Plot, Series, stacked, trend, trend_of_waits

blueprint = Blueprint("numbers", __name__, url_prefix="/desk/numbers")

_DAYS_SHOWN = 28
_MOST_DAYS = 731


class _Query(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    site: Line = Field("", max_length=64)
    since: Since = None
    until: Since = None


@dataclass(frozen=True, slots=True)
class Group:
    """The decisions of the service that have something in common."""

    name: str
    decided: int
    automatic: Share
    """Approved or rejected without a person."""
    held_right: Share
    """Of those held on which a person has decided: rejected."""


class Agreement(NamedTuple):
    """How people and the service agree on what the service has `machine` (held, approved …)."""

    machine: Status
    otherwise: int
    """Comments on which a person decided the contrary."""
    agreed: Share


@blueprint.get("")
def page() -> str:
    """All numbers of a range of days."""
    wanted = parse(_Query, request.args.to_dict())
    now = now_ms()
    today = numbers.day_of(now)
    first, last = _days(wanted, today)
    days = range(first, last + 1)
    with services().database.read() as connection:
        sites = names(connection, account().sites)
        chosen = sites_named(connection, wanted.site)
        # To the last day: what came and went after the range tells how much waited at its end.
        found = numbers.by_day(connection, first=first, last=today, sites=chosen)
        waiting = numbers.waiting(connection, sites=chosen, now=now)
        shown = {i: name for i, name in sites.items() if chosen is None or i in chosen}
        audit = watching.audited(connection, first=first, last=last, sites=shown, figures=found)
        audit_plot = watching.audit_plot(connection, days=days, sites=chosen)
        # Of one site only: it takes many days to say, and what is read is one site's.
        drifting = [
            watching.drifting(connection, site, name, days)
            for site, name in shown.items()
            if len(shown) == 1
        ]
    by_day = {day: Figures() for day in range(first, today + 1)}
    by_site: dict[str, Figures] = {}
    for (day, site), figures in found.items():
        by_day[day].add(figures)
        if day <= last:
            by_site.setdefault(sites.get(site, ""), Figures()).add(figures)
    whole = Figures()
    for day in days:
        whole.add(by_day[day])
    backlog = _backlog(by_day, waiting.held)
    return render_template(
        "desk/numbers.html",
        sites=sites.values(),
        wanted=wanted,
        first=_date(first),
        last=_date(last),
        whole=_group("", whole),
        people=sum(whole.decided[key] for key in whole.decided if _by_person(key)),
        released=_released(whole),
        median=numbers.quantile(whole.waits, 0.5),
        ninth=numbers.quantile(whole.waits, 0.9),
        waiting=waiting,
        ages=_ages(waiting),
        plots=_plots([by_day[day] for day in days], [backlog[day] for day in days], days),
        agreement=_agreement(whole),
        audit=audit,
        audit_plot=audit_plot,
        unknown_plot=watching.unknown_plot([by_day[day] for day in days], days),
        drifting=next(filter(None, drifting), None),
        single=len(shown) == 1,
        groups={
            "Site": [_group(name, figures) for name, figures in sorted(by_site.items())],
            "Reason": _groups(whole, lambda reason, _model: sentences.reason_words(reason)),
            "Model": _groups(whole, lambda _reason, model: model or "none"),
        },
        duration=sentences.duration,
        percent=sentences.percent,
    )


def _days(wanted: _Query, today: int) -> tuple[int, int]:
    """The first and the last day of the range."""
    last = today if wanted.until is None else min(_day(wanted.until), today)
    first = last - _DAYS_SHOWN + 1 if wanted.since is None else _day(wanted.since)
    if not 0 <= first <= last:
        raise InvalidInput(FieldError("since", "has to be a day up to `until` and today"))
    if last - first >= _MOST_DAYS:
        raise InvalidInput(FieldError("since", f"has to be at most {_MOST_DAYS} days before"))
    return first, last


def _day(moment: datetime) -> int:
    return numbers.day_of(round(moment.timestamp() * 1000))


def _date(day: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(days=day)


def _by_person(key: Decided) -> bool:
    return key.kind in PEOPLE


def _released(figures: Figures) -> int:
    """How many held comments a newer model approved."""
    return sum(n for key, n in figures.afterwards.items() if key.kind == ActorKind.WORKER)


def _counts(figures: Figures) -> Counter[str]:
    """The service's decisions by the status they gave."""
    found: Counter[str] = Counter()
    for key, count in figures.decided.items():
        if key.kind == ActorKind.WORKER:
            found[key.to_status] += count
    return found


def _automatic(counts: Mapping[str, int]) -> Share:
    held = counts.get(Status.HELD, 0)
    total = sum(counts.values())
    return share(total - held, total)


def _held_right(judged: Iterable[tuple[Judged, int]]) -> Share:
    found: Counter[str] = Counter()
    for key, count in judged:
        if key.machine == Status.HELD:
            found[key.verdict] += count
    return share(found[Status.REJECTED], found.total())


def _group(name: str, figures: Figures) -> Group:
    counts = _counts(figures)
    return Group(name, counts.total(), _automatic(counts), _held_right(figures.judged.items()))


def _groups(whole: Figures, name: Callable[[str, str], str]) -> list[Group]:
    """The service's decisions by what `name` makes of reason and model, the largest first."""
    parts: dict[str, Figures] = {}
    for key, count in whole.decided.items():
        if key.kind == ActorKind.WORKER:
            parts.setdefault(name(key.reason, key.model), Figures()).decided[key] += count
    for judged, count in whole.judged.items():
        parts.setdefault(name(judged.reason, judged.model), Figures()).judged[judged] += count
    groups = (_group(part, figures) for part, figures in parts.items())
    return sorted(groups, key=lambda group: (-group.decided, group.name))


def _agreement(whole: Figures) -> list[Agreement]:
    """How often people have left standing, or made final, what the service decided."""
    counts = _counts(whole) + Counter({Status.APPROVED: _released(whole)})
    rows = []
    for machine in (Status.HELD, Status.APPROVED, Status.REJECTED):
        said: Counter[str] = Counter()
        for key, count in whole.judged.items():
            if key.machine == machine:
                said[key.verdict] += count
        contrary = Status.REJECTED if machine is Status.APPROVED else Status.APPROVED
        # People may have turned round more than the service decided in these days.
        compared = said.total() if machine is Status.HELD else max(counts[machine], said.total())
        otherwise = said[contrary]
        rows.append(Agreement(machine, otherwise, share(compared - otherwise, compared)))
    return rows


def _backlog(by_day: Mapping[int, Figures], held_now: int) -> dict[int, int]:
    """How many waited at the end of each day, worked out backwards from now."""
    found = {}
    waiting = held_now
    for day in sorted(by_day, reverse=True):
        found[day] = max(waiting, 0)
        changes = by_day[day].decided + by_day[day].afterwards
        for key, count in changes.items():
            waiting -= count * ((key.to_status == Status.HELD) - (key.from_status == Status.HELD))
    return found


def _ages(waiting: numbers.Waiting) -> list[tuple[str, int]]:
    edges = [sentences.duration(age) for age in numbers.AGES]
    labels = [f"under {edge}" for edge in edges] + [f"{edges[-1]} or more"]
    return list(zip(labels, waiting.by_age, strict=True))


def _plots(by_day: list[Figures], backlog: list[int], days: Iterable[int]) -> list[Plot]:
    places = [f"{_date(day):%-d %b}" for day in days]
    counts = [_counts(figures) for figures in by_day]
    automatic = [_automatic(count) for count in counts]
    right = [_held_right(figures.judged.items()) for figures in by_day]
    waits = [figures.waits for figures in by_day]
    return [
        stacked(
            Data(
                "Comments decided by the service",
                "Each comment once, on the day on which the service decided about it.",
                places,
                [
                    Series(status, status, [count[status] for count in counts])
                    for status in (Status.APPROVED, Status.HELD, Status.REJECTED)
                ],
            )
        ),
        trend(
            Data(
                "Decided without a person",
                "Approved or rejected by the service itself, of all on which it decided.",
                places,
                [Series("main", "share", [one.value for one in automatic])],
            ),
            top=1,
            words=sentences.percent,
        ),
        trend(
            Data(
                "Waiting at the end of the day",
                "Held comments on which nobody had decided yet.",
                places,
                [Series("held", "waiting", backlog)],
            )
        ),
        trend_of_waits(
            Data(
                "Time to a person’s decision",
                "From being held to the first approval or rejection, on the day of that.",
                places,
                [
                    Series("main", "median", [numbers.quantile(wait, 0.5) for wait in waits]),
                    Series("held", "90 % within", [numbers.quantile(wait, 0.9) for wait in waits]),
                ],
            ),
            sentences.duration,
        ),
        trend(
            Data(
                "Held, and rejected by a person",
                "Of held comments on which people decided on the day; boxes are 95 % intervals.",
                places,
                [
                    Series(
                        "main",
                        "share",
                        [one.value for one in right],
                        [None if one.value is None else (one.low, one.high) for one in right],
                    )
                ],
            ),
            top=1,
            words=sentences.percent,
        ),
    ]
