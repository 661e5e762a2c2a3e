"""The administrators' page of a site's models: what decides, what could, what was done."""

from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field
from redis.exceptions import RedisError
from sqlalchemy import Connection, select

from moderation import site_settings
from moderation.clock import now_ms, to_datetime
from moderation.errors import Conflict, NotFound
from moderation.learning import labels, rescoring, shadows, site_models, training_runs
from moderation.learning import verdict_report as report_file
from moderation.learning.site_models import Deed, State, StoredModel
from moderation.learning.training_runs import LEAST_LABELS, UNFINISHED, Run
from moderation.models import Site
from moderation.queues import enqueue_rescore, enqueue_train
from moderation.schemas import parse
from moderation.sites import SiteRef
from moderation.web import sentences, verdicts
from moderation.web.context import account, services
from moderation.web.desk.legible import pieces
from moderation.web.sites import general_model

blueprint = Blueprint("models", __name__, url_prefix="/desk")

_SITE = "/sites/<name>/models"

_MODELS_SHOWN = 20
_RUNS_SHOWN = 5
_CHANGES_SHOWN = 50
_DISAGREEMENTS_SHOWN = 20

_STATES = {
    State.CURRENT: "decides",
    State.CANDIDATE: "candidate",
    State.RETIRED: "has decided before",
    State.REFUSED: "refused",
}

_RUN_STATES = {
    training_runs.State.QUEUED: "waits for the trainer",
    training_runs.State.RUNNING: "is under way",
    training_runs.State.DONE: "done",
    training_runs.State.FAILED: "failed",
    training_runs.State.INTERRUPTED: "interrupted",
}

_DEEDS = {
    Deed.PROMOTE: "promoted",
    Deed.ROLL_BACK: "rolled back",
    Deed.REFUSE: "refused",
    Deed.SHADOW: "shadow",
}

# What `progress.js` compares: a page that shows something under way is loaded anew when it is over.
_UNDER_WAY, _OVER = "under way", "over"


class _Query(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    before: str = Field("", max_length=32)


class _Older(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    before: int | None = Field(None, ge=0, le=2**63 - 1)


@blueprint.get("/models")
def overview() -> ResponseReturnValue:
    """Every site with what decides there; a single site's page at once."""
    with services().database.read() as connection:
        sites = connection.execute(select(Site.id, Site.name).order_by(Site.name)).all()
        if len(sites) == 1:
            return redirect(url_for(".page", name=sites[0].name), HTTPStatus.SEE_OTHER)
        rows = [
            (site.name, current, _labels_since(connection, site.id, current))
            for site in sites
            for current in [site_models.current(connection, site.id)]
        ]
    return render_template("desk/all_models.html", rows=rows)


@blueprint.get(_SITE)
def page(name: str) -> str:
    """What decides, the trainings, the models and who changed what."""
    before = parse(_Older, request.args.to_dict()).before
    with services().database.read() as connection:
        site = site_settings.site_named(connection, name)
        current = site_models.current(connection, site.id)
        shadow = site_models.shadowing(connection, site.id)
        runs = training_runs.runs(connection, site.id, limit=_RUNS_SHOWN)
        changes = site_models.changes(connection, site.id, limit=_CHANGES_SHOWN)
        found = site_models.models(connection, site.id, limit=_MODELS_SHOWN + 1, before=before)
        return render_template(
            "desk/models.html",
            site=site,
            general=general_model(),
            current=current,
            before=site_models.before(connection, site.id),
            changes=changes,
            labels=labels.count_since(connection, site.id),
            new=_labels_since(connection, site.id, current),
            least=LEAST_LABELS,
            outlook=training_runs.outlook(connection, site.id, site.settings),
            now=now_ms(),
            runs=runs,
            run=runs[0] if runs and runs[0].state in UNFINISHED else None,
            run_words=_run_words,
            run_states=_RUN_STATES,
            models=found[:_MODELS_SHOWN],
            older=found[_MODELS_SHOWN - 1].id if len(found) > _MODELS_SHOWN else None,
            latest=before is None,
            states=_STATES,
            deeds=_DEEDS,
            again=rescoring.progress(connection, site.id),
            again_words=_rescoring_words,
            shadow=shadow,
            agreement=shadow and shadows.agreement(connection, shadow.id),
            to_datetime=to_datetime,
        )


@blueprint.post(_SITE + "/train")
def train(name: str) -> ResponseReturnValue:
    """Have a model trained."""
    try:
        with services().database.write() as connection:
            site = site_settings.site_named(connection, name)
            run_id = training_runs.ask(connection, site.id, by=account().name)
    except Conflict as conflict:
        return _back(name, conflict)
    # The sweep has it done where Redis is not there.
    with suppress(RedisError):
        enqueue_train(services().redis, run_id)
    return redirect(url_for(".page", name=name, _anchor="training"), HTTPStatus.SEE_OTHER)


@blueprint.get(_SITE + "/training")
def training(name: str) -> Response:
    """How far the training is, for the page's script."""
    with services().database.read() as connection:
        site = site_settings.site_named(connection, name)
        runs = training_runs.runs(connection, site.id, limit=1)
    if not runs or runs[0].state not in UNFINISHED:
        return jsonify(state=_OVER)
    return jsonify(state=_UNDER_WAY, share=runs[0].done, words=_run_words(runs[0]))


@blueprint.get(_SITE + "/rescoring")
def rescoring_state(name: str) -> Response:
    """How far it is with scoring held comments again, for the page's script."""
    with services().database.read() as connection:
        site = site_settings.site_named(connection, name)
        found = rescoring.progress(connection, site.id)
    if found is None:
        return jsonify(state=_OVER)
    return jsonify(state=_UNDER_WAY, share=found.share, words=_rescoring_words(found))


@blueprint.post(_SITE + "/roll-back")
def roll_back(name: str) -> ResponseReturnValue:
    """Let what decided before decide again."""

    def do(connection: Connection, site: SiteRef) -> str:
        current = site_models.current(connection, site.id)
        # A second click, or a page from before somebody else's change, would go back twice.
        if (current.version if current else "") != request.form.get("version", ""):
            raise Conflict("somebody else has changed what decides meanwhile")
        found = site_models.roll_back(
            connection, site.id, actor=account().name, to_general="general" in request.form
        )
        return f"{found.version if found else 'The general model alone'} decides from now on."

    return _changed(name, do, again=True)


@blueprint.post(_SITE + "/no-shadow")
def end_shadow(name: str) -> ResponseReturnValue:
    """Let no model shadow any longer."""

    def do(connection: Connection, site: SiteRef) -> str:
        site_models.shadow(connection, site.id, None, actor=account().name)
        return "No model shadows any more. What it said is kept."

    return _changed(name, do)


@blueprint.get(_SITE + "/<version>")
def model(name: str, version: str) -> str:
    """What the gate said of a model, and what it said as a shadow."""
    wanted = parse(_Query, request.args.to_dict())
    with services().database.read() as connection:
        site, found = _model(connection, name, version)
        shown = shadows.disagreements(
            connection, found.id, limit=_DISAGREEMENTS_SHOWN + 1, before=wanted.before
        )
        agreement = shadows.agreement(connection, found.id)
    return render_template(
        "desk/model.html",
        site=site,
        model=found,
        states=_STATES,
        general=general_model(),
        verdict=found.report.get("sentences", []),
        plots=verdicts.plots(found.report.get("figures", {})),
        agreement=agreement,
        shown=shown[:_DISAGREEMENTS_SHOWN],
        further=shown[_DISAGREEMENTS_SHOWN - 1].comment_id
        if len(shown) > _DISAGREEMENTS_SHOWN
        else "",
        before=wanted.before,
        words=sentences,
        pieces=pieces,
        to_datetime=to_datetime,
    )


@blueprint.get(_SITE + "/<version>/report")
def report(name: str, version: str) -> Response:
    """All that the gate said, with curves, as one file."""
    with services().database.read() as connection:
        _, found = _model(connection, name, version)
    if "figures" not in found.report:
        raise NotFound("nothing is kept of what the gate said of this model")
    text = report_file.render(found.report["sentences"], found.report["figures"])
    answer = Response(text, mimetype="text/html")
    answer.headers.set("Content-Disposition", "attachment", filename=f"{found.version}.html")
    return answer


@blueprint.post(_SITE + "/<version>/promote")
def promote(name: str, version: str) -> ResponseReturnValue:
    """Let a model decide; against the gate's advice only when asked twice."""
    with services().database.read() as connection:
        site, found = _model(connection, name, version)
    if not found.recommended and "anyway" not in request.form:
        return render_template(
            "desk/promote_anyway.html",
            site=site,
            model=found,
            verdict=found.report.get("sentences", []),
        )

    def do(connection: Connection, site: SiteRef) -> str:
        general = general_model()
        if not general:
            raise Conflict("the general model cannot be read here: use `moderation models promote`")
        actor = account().name
        site_models.promote(connection, site.id, version, general=general, actor=actor)
        return f"{version} decides from now on. What is held is scored again."

    return _changed(name, do, again=True)


@blueprint.post(_SITE + "/<version>/refuse")
def refuse(name: str, version: str) -> ResponseReturnValue:
    """Let a model never decide."""

    def do(connection: Connection, site: SiteRef) -> str:
        site_models.refuse(connection, site.id, version, actor=account().name)
        return f"{version} is refused: it will not decide."

    return _changed(name, do)


@blueprint.post(_SITE + "/<version>/shadow")
def shadow(name: str, version: str) -> ResponseReturnValue:
    """Let a model score what comes in without deciding."""

    def do(connection: Connection, site: SiteRef) -> str:
        site_models.shadow(connection, site.id, version, actor=account().name)
        return f"{version} shadows from now on: it scores what comes in, and decides nothing."

    return _changed(name, do)


def _model(connection: Connection, name: str, version: str) -> tuple[SiteRef, StoredModel]:
    site = site_settings.site_named(connection, name)
    return site, site_models.model(connection, site.id, version)


def _changed(
    name: str, do: Callable[[Connection, SiteRef], str], *, again: bool = False
) -> ResponseReturnValue:
    """Do it and say what was done, or why not; `again` where held comments are to be scored
    again."""
    try:
        with services().database.write() as connection:
            site = site_settings.site_named(connection, name)
            done = do(connection, site)
    except Conflict as conflict:
        return _back(name, conflict)
    if again:
        # The sweep has it done where Redis is not there.
        with suppress(RedisError):
            enqueue_rescore(services().redis, site.id, "")
    flash(done, "done")
    return redirect(url_for(".page", name=name), HTTPStatus.SEE_OTHER)


def _back(name: str, why: Exception) -> ResponseReturnValue:
    flash(f"Nothing was done: {why}.", "error")
    return redirect(url_for(".page", name=name), HTTPStatus.SEE_OTHER)


def _labels_since(connection: Connection, site_id: int, current: StoredModel | None) -> int:
    """How many labels came in since what decides was trained."""
    return labels.count_since(connection, site_id, current.last_label_id if current else 0)


def _run_words(run: Run) -> str:
    if run.state is training_runs.State.QUEUED:
        return "It waits for the trainer."
    return f"{run.step.capitalize() or 'Starting'}: {run.done:.0%} done."


def _rescoring_words(found: rescoring.Progress) -> str:
    number = "1 is" if found.left == 1 else f"{found.left:,} are"
    return f"Held comments are scored again; {number} left."
