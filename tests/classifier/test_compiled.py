import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from moderation.classifier.compiled import cache_folder

# Scores a comment and prints how many compiled functions were (read from, missing in) the cache.
SCORE = """
import sys
from pathlib import Path
from moderation.classifier import artifact, explain, scoring
artifact.load(Path(sys.argv[1])).warm_up()
kernels = (scoring.score, explain._attribute)
print(sum(sum(k.stats.cache_hits.values()) for k in kernels),
      sum(sum(k.stats.cache_misses.values()) for k in kernels))
"""

NOWHERE = """
import sys, tempfile
def refuse(*args, **kwargs): raise PermissionError("read-only")
tempfile.TemporaryFile = refuse
from pathlib import Path
from moderation.classifier import artifact, compiled
artifact.load(Path(sys.argv[1])).warm_up()
print(compiled.CACHED)
"""


def run(code: str, model: Path, cache: Path) -> str:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    result = subprocess.run(
        [sys.executable, "-c", code, str(model)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return result.stdout.strip()


def test_of_two_processes_that_start_together_one_compiles(
    model_path: Path, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(run, [SCORE] * 2, [model_path] * 2, [tmp_path] * 2)
    assert sorted(found) == ["0 2", "2 0"]


def test_without_a_place_for_a_cache_it_works_all_the_same(
    model_path: Path, tmp_path: Path
) -> None:
    assert run(NOWHERE, model_path, tmp_path) == "False"


def test_the_first_place_that_can_be_written_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    folder = cache_folder([file, tmp_path / "good", tmp_path / "other"])
    assert folder is not None
    assert folder.parent == tmp_path / "good"
    assert cache_folder([file]) is None
