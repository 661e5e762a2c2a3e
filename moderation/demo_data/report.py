"""What came of a file, for a person to read."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from moderation.demo_data.rows import Unusable
from moderation.demo_data.run import Grounds, Outcome, Posted
from moderation.domain import Status

# By label. A site would publish what is wanted.
LABELS = ("wanted", "unwanted")

# Unusable lines that are shown.
_LINES_SHOWN = 10


def report(outcome: Outcome) -> RenderableType:
    """Tables of decisions against labels, and of the reasons for not publishing."""
    stopped = [p for p in outcome.posted if p.status in (Status.HELD, Status.REJECTED)]
    explained = [(p, p.grounds) for p in stopped if p.grounds]
    parts: list[RenderableType] = [_decisions(outcome.posted)]
    if explained:
        parts += [_reasons(explained), *_totals(explained)]
    elif stopped:
        parts.append("Why they were held is in the service's database, which was not found here.")
    if repeated := sum(posted.repeated for posted in outcome.posted):
        parts.append(f"{repeated:,} had been posted before; their first decision counts.")
    if outcome.unusable:
        parts.append(_unusable(outcome.unusable))
    return Group(*parts)


def _decisions(posted: Sequence[Posted]) -> Table:
    counts = Counter((p.label, p.status) for p in posted)
    statuses = [Status.APPROVED, Status.HELD, Status.REJECTED]
    if any(status is Status.PENDING for _, status in counts):
        statuses.append(Status.PENDING)
    table = _table("Decisions", "Label", *statuses, "all")
    for label, word in enumerate(LABELS):
        row = [counts[label, status] for status in statuses]
        table.add_row(word, *(_share(n, sum(row)) for n in row), f"{sum(row):,}")
    return table


def _reasons(explained: Sequence[tuple[Posted, Grounds]]) -> Table:
    counts = Counter((g.reason, g.by_rule, p.label) for p, g in explained)
    reasons = Counter((grounds.reason, grounds.by_rule) for _, grounds in explained)
    table = _table("Why they were not published at once", "Reason", "said by", *LABELS)
    for (reason, by_rule), _ in reasons.most_common():
        row = [f"{counts[reason, by_rule, label]:,}" for label in range(len(LABELS))]
        table.add_row(reason, "rule" if by_rule else "classifier", *row)
    return table


def _totals(explained: Sequence[tuple[Posted, Grounds]]) -> list[RenderableType]:
    by_rule = sum(grounds.by_rule for _, grounds in explained)
    models = sorted({grounds.model for _, grounds in explained if grounds.model})
    lines: list[RenderableType] = [
        f"Stopped by a rule: {by_rule:,}; by the classifier: {len(explained) - by_rule:,}."
    ]
    if models:
        lines.append(f"Model: {', '.join(models)}.")
    return lines


def _unusable(lines: Sequence[Unusable]) -> str:
    shown = [f"  line {line.line}: {line.why}" for line in lines[:_LINES_SHOWN]]
    if len(lines) > _LINES_SHOWN:
        shown.append(f"  and {len(lines) - _LINES_SHOWN:,} more")
    return "\n".join([f"{len(lines):,} lines could not be used:", *shown])


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(first, title=title, title_justify="left")
    for name in columns:
        table.add_column(name, justify="right")
    return table


def _share(count: int, total: int) -> str:
    return f"{count:,} ({count / total:.1%})" if total else "0"
