"""The wheel, installed outside of the checkout, runs the whole service."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.service import ROOT, Service, prepared_service

PACKAGES = {"moderation", "training", "worker"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    [wheel] = folder.glob("*.whl")
    return wheel


def test_the_wheel_holds_all_that_runs_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {Path(name) for name in archive.namelist()}

    assert {path.parts[0] for path in held if ".dist-info" not in path.parts[0]} == PACKAGES
    ours = ("git", "ls-files", "--cached", "--others", "--exclude-standard", *PACKAGES)
    of_the_packages = {path for path in held if path.parts[0] in PACKAGES}
    assert of_the_packages == {Path(line) for line in _run(*ours, cwd=ROOT).splitlines()}
    for needed in (
        "moderation/templates/desk/queue.html",
        "moderation/static/status.js",
        "moderation/migrations/env.py",
        "moderation/classifier/default.safetensors",
        "training/recipes/general.toml",
    ):
        assert Path(needed) in held


def test_an_installed_service_runs_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    # The dependencies are those of this environment; the wheel itself comes first.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    programs = environment / "bin"
    _run(
        *(sys.executable, "-m", "pip", "--python", programs / "python", "install"),
        *("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", wheel),
        cwd=tmp_path,
    )
    command = programs / "moderation"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert _run(command, "--version", cwd=empty).startswith("moderation, version ")
    find = "import moderation; print(*moderation.__path__)"
    where = _run(programs / "python", "-c", find, cwd=empty)
    assert where.strip() == str(packages / "moderation")

    service = prepared_service(empty / "var")
    installed = Service(
        service.home, service.environment, service.port, command=[command, "up"], folder=empty
    )
    del installed.environment["MODERATION_HOME"]
    try:
        installed.start()
        posted = installed.post_comment()
        assert installed.decision_on(posted.json["id"]) == "approved"
        for path in ("/demo", "/docs", "/sign-in", "/static/style.css", "/openapi.json"):
            assert installed.client.page(path).status == 200
    finally:
        if installed.process is not None:
            assert installed.stop() == 0
    assert [path.name for path in empty.iterdir()] == ["var"]


def _run(*command: str | Path, cwd: Path) -> str:
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
