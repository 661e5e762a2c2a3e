"""One training of a site's model: from its labels to a candidate that the gate has judged, and to
the model that decides, where the site lets the gate promote. Free of RQ.

Nothing changes before the last transaction, in which all changes: killed at any time, a training
leaves what decides alone.
"""

import logging
import math
from collections.abc import Callable, Sequence
from heapq import nlargest
from itertools import count
from operator import attrgetter
from threading import Event, Thread
from types import TracebackType
from typing import NamedTuple, Self

from moderation import sites
from moderation.classifier.adaptation import Adaptation, adapted
from moderation.classifier.pipeline import Classifier
from moderation.clock import SECOND, now_ms
from moderation.db import Database
from moderation.domain import Selection
from moderation.learning import audits, goals, labels, operating_points, site_models, training_runs
from moderation.learning.goals import Evidence
from moderation.learning.held_out import HeldOut
from moderation.learning.labels import Labelled
from moderation.learning.site_models import NewModel
from moderation.learning.training_runs import LEAST_LABELS, Run, State
from moderation.scorer import Scorer
from moderation.sites import SiteRef
from training import gate, guard
from training.adapt import Progress, examples_of, fit
from training.crossfit import FOLDS, out_of_fold

log = logging.getLogger(__name__)

Watch = Callable[[str, float], None]
"""Is told what is done now, in words, and which share of all is done."""

MOST_LABELS = 50_000
"""The latest so many are learned from: older ones say little, and memory is bounded."""

# Of a site's name in the version of its model: a decision names the general model's too.
_NAME_LENGTH = 24

# The parts of a run, and where each ends as a share of its time.
_READ, _FITTED, _LIMITED, _TRIED, _JUDGED, _WEIGHED = 0.02, 0.2, 0.3, 0.6, 0.65, 0.98


class InterruptedRunError(Exception):
    """The run counts as interrupted: another one may be under way."""


class _Made(NamedTuple):
    """A candidate and what the gate says of it."""

    adaptation: Adaptation
    verdict: gate.Verdict
    held_out: HeldOut
    evidence: Evidence
    """What the labels say of the candidate's thresholds, by `held_out`."""
    labels: int


def retrain(
    database: Database, scorer: Scorer, run_id: int, watch: Watch = lambda _step, _done: None
) -> None:
    """Do the run, if it has not begun; whatever happens is told in its row."""
    with database.write() as connection:
        run = training_runs.begin(connection, run_id)
    if run is None:
        return
    try:
        with _Telling(database, run, watch) as tell:
            _retrain(database, scorer, run, tell)
    except InterruptedRunError:
        log.warning("training run %d was given up, and has changed nothing", run_id)
    except Exception as error:
        log.exception("training run %d failed", run_id)
        with database.write() as connection:
            outcome = f"It failed, and what decides has not changed: {type(error).__name__}."
            training_runs.finish(connection, run_id, State.FAILED, outcome=outcome)


def _retrain(database: Database, scorer: Scorer, run: Run, tell: "_Telling") -> None:
    general = scorer.classifier()
    if general is None:
        _end(database, run, State.FAILED, "The general model cannot be used.")
        return
    tell("reading the labels", 0.0)
    with database.read() as connection:
        site = sites.get(connection, run.site_id)
        current = site_models.current(connection, run.site_id)
        labelled = nlargest(
            MOST_LABELS, labels.effective(connection, run.site_id), key=attrgetter("at")
        )
        published = audits.last_published_unseen(connection, run.site_id)
    why_not = _too_few(labelled)
    if why_not:
        _end(database, run, State.DONE, why_not)
        return
    present = scorer.for_site(database, site.current) or general
    # A current model that cannot be used decides nothing, and has nothing to defend.
    seen = current.last_label_id if current and present is not general else 0
    made = _make(general, present, labelled, tell, site=site, seen=seen, published=published)
    _keep(database, general, run, site, made)


def _make(
    general: Classifier,
    present: Classifier,
    labelled: Sequence[Labelled],
    tell: "_Telling",
    *,
    site: SiteRef,
    seen: int,
    published: int,
) -> _Made:
    now = now_ms()
    name = site.name[:_NAME_LENGTH]

    def fitted(part: Sequence[Labelled], progress: Progress = lambda _: None) -> Adaptation:
        return fit(general, examples_of(part, now), name=name, now=now, progress=progress)

    adaptation = fitted(labelled, tell.part("training on all decisions", _READ, _FITTED))
    tell("asking it about the invented sentences", _FITTED)
    own = adapted(general, adaptation)
    share = guard.farthest(general, own, guard.standard(), present=present)
    adaptation = adaptation.tempered(share)

    def like_it(part: Sequence[Labelled]) -> Classifier:
        return adapted(general, fitted(part).tempered(share))

    blocks = gate.blocks(labelled, seen)
    trials = []
    for number, block in enumerate(blocks):
        step = _LIMITED + number / len(blocks) * (_TRIED - _LIMITED)
        tell("training on the earlier decisions", step)
        trials.append(gate.Trial(like_it(block.earlier), block.later))
    tell("comparing with the present model", _TRIED)
    verdict = gate.judge(
        present,
        adapted(general, adaptation),
        trials,
        goal=site.settings.approve_precision,
        all_seen=published < _first_held(blocks),
        notes=(*_limited(share), *gate.straddling(blocks)),
    )
    scores = _held_out(labelled, like_it, tell)
    imports = site.settings.imports_complete
    evidence = Evidence.of(goals.sample(labelled, scores, imports_complete=imports))
    tell("storing the model", _WEIGHED)
    return _Made(adaptation, verdict, HeldOut.of(labelled, scores), evidence, len(labelled))


def _first_held(blocks: Sequence[gate.Block]) -> float:
    """When the first of the held comments came in by which a candidate is judged."""
    return min(
        (
            label.created_at
            for block in blocks
            for label in block.later
            if label.selection is Selection.HELD
        ),
        default=math.inf,
    )


def _limited(share: float) -> tuple[str, ...]:
    """A sentence if a model does not go all the way that its labels point."""
    if share == 1.0:
        return ()
    return (
        f"It goes {share:.0%} of the way that the labels point: farther on it would be worse at "
        "the invented sentences.",
    )


def _held_out(
    labelled: Sequence[Labelled],
    train: Callable[[Sequence[Labelled]], Classifier],
    tell: "_Telling",
) -> list[float | None]:
    fits = count(1)

    def without_some(part: Sequence[Labelled]) -> Classifier:
        share = (next(fits) - 1) / FOLDS
        tell("weighing the decisions", _JUDGED + share * (_WEIGHED - _JUDGED))
        return train(part)

    return out_of_fold(labelled, without_some)


def _keep(database: Database, general: Classifier, run: Run, site: SiteRef, made: _Made) -> None:
    """Store the candidate, and let it decide where the gate and the site say so, and nobody has
    changed meanwhile what it was compared with."""
    version = made.adaptation.version
    with database.write() as connection:
        model_id = site_models.store(
            connection,
            NewModel(
                site_id=site.id,
                version=version,
                base=general.version,
                made_by=run.asked_by,
                labels=made.labels,
                last_label_id=made.held_out.last_label_id,
                recommended=made.verdict.promote,
                report={
                    "sentences": list(made.verdict.sentences),
                    "figures": made.verdict.figures,
                },
                artifact=made.adaptation.to_bytes(),
                held_out=made.held_out.to_bytes(),
            ),
        )
        operating_points.keep(
            connection,
            site_id=site.id,
            model=f"{general.version}+{version}",
            evidence=made.evidence,
        )
        outcome = f"{version} was trained on {made.labels:,} labels. {made.verdict.sentences[0]}"
        now = sites.get(connection, site.id)
        if (
            made.verdict.promote
            and now.settings.promote_automatically
            and now.current == site.current
        ):
            site_models.promote(connection, site.id, version, general=general.version, actor=_ACTOR)
            outcome += " It decides from now on."
        done = training_runs.finish(
            connection, run.id, State.DONE, outcome=outcome, model_id=model_id
        )
        if not done:
            raise InterruptedRunError


_ACTOR = "the gate"


def _end(database: Database, run: Run, state: State, outcome: str) -> None:
    with database.write() as connection:
        training_runs.finish(connection, run.id, state, outcome=outcome)


def _too_few(labelled: Sequence[Labelled]) -> str:
    """Why nothing can be learned from these labels, in words; empty where something can."""
    unwanted = sum(label.unwanted >= 0.5 for label in labelled)
    if len(labelled) < LEAST_LABELS:
        return f"There are {len(labelled)} labels, and at least {LEAST_LABELS} are needed."
    if unwanted in (0, len(labelled)):
        which = "approvals" if unwanted == 0 else "rejections"
        return f"All {len(labelled):,} labels are {which}: there is nothing to tell apart."
    return ""


class _Telling:
    """Tells the database every few seconds that a run lives and how far it is, from a thread of its
    own: a step may take long. Whoever tells it something learns that the run counts as interrupted
    by an exception."""

    def __init__(self, database: Database, run: Run, watch: Watch) -> None:
        self._database, self._run, self._watch = database, run, watch
        self._step, self._done = "", 0.0
        self._over, self._lost = Event(), Event()
        self._thread = Thread(target=self._beat, name="training-beat", daemon=True)

    def __call__(self, step: str, done: float) -> None:
        if self._lost.is_set():
            raise InterruptedRunError
        self._step, self._done = step, done
        self._watch(step, done)

    def part(self, step: str, begin: float, end: float) -> Callable[[float], None]:
        """What takes the share of one step that is done, and tells that of the whole."""
        return lambda share: self(step, begin + share * (end - begin))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._over.wait(training_runs.BEAT / SECOND):
            try:
                with self._database.write() as connection:
                    lives = training_runs.beat(
                        connection, self._run.id, step=self._step, done=self._done
                    )
            except Exception:
                log.exception("a sign of life of training run %d is lost", self._run.id)
            else:
                if not lives:
                    self._lost.set()
                    return
