import fcntl
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from moderation.classifier.compiled import cache_folder
from moderation.classifier.pipeline import Classifier
from tests.support.waiting import eventually, waiting_for

# Of the classifier's kernels each takes ten seconds to compile; to the cache all are the same.
KERNEL = """
from moderation.classifier.compiled import CACHED, kernel, one_at_a_time

@kernel
def double(number):
    return 2 * number

with one_at_a_time():
    assert double(21) == 42
"""

# Prints how many compiled functions were (read from, missing in) the cache.
COUNTED = """
print(sum(double.stats.cache_hits.values()), sum(double.stats.cache_misses.values()))
"""

NOWHERE = """
import tempfile
def refuse(*args, **kwargs): raise PermissionError("read-only")
tempfile.TemporaryFile = refuse
"""


def run(script: Path, cache: Path) -> str:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": "."}
    result = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


def test_of_two_processes_that_start_together_one_compiles(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(KERNEL + COUNTED)
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(run, [script] * 2, [tmp_path] * 2)
    assert sorted(found) == ["0 1", "1 0"]


def test_a_classifier_that_warms_up_waits_while_another_compiles(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("moderation.classifier.compiled._FOLDER", tmp_path)
    lock = tmp_path / "lock"
    with ThreadPoolExecutor(1) as pool:
        with lock.open("w") as another:
            fcntl.flock(another, fcntl.LOCK_EX)
            warm = pool.submit(classifier.warm_up)
            eventually(lambda: waiting_for(lock) == 1)
        warm.result()


def test_without_a_place_for_a_cache_it_works_all_the_same(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(NOWHERE + KERNEL + "print(CACHED)")
    assert run(script, tmp_path) == "False"


def test_the_first_place_that_can_be_written_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    folder = cache_folder([file, tmp_path / "good", tmp_path / "other"])
    assert folder is not None
    assert folder.parent == tmp_path / "good"
    assert cache_folder([file]) is None
