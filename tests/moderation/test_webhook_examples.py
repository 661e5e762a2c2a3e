"""The examples in docs/webhooks.md, run as they stand there."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from moderation.clock import MINUTE, now_ms
from moderation.outbox import webhooks
from moderation.outbox.deliveries import Taken

DOCUMENT = Path(__file__).parents[2] / "docs" / "webhooks.md"

PYTHON = """
import json, sys
given = json.load(sys.stdin)
print(verified(given["body"].encode(), given["headers"], given["secret"])["type"])
"""
PHP = """
$given = json_decode(file_get_contents('php://stdin'), true);
echo verified($given['body'], $given['headers'], $given['secret'])['type'], "\\n";
"""
NODE = """
const given = JSON.parse(require("node:fs").readFileSync(0));
console.log(verified(given.body, given.headers, given.secret).type);
"""

RUNNERS = {
    "python": ([sys.executable, "-c"], PYTHON),
    "php": (["php", "-d", "display_errors=stderr", "-r"], PHP),
    "js": (["node", "-e"], NODE),
}


def example(language: str) -> str:
    found = re.findall(
        rf"^```{language}\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE
    )
    assert len(found) == 1
    return str(found[0])


def run(language: str, message: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    command, call = RUNNERS[language]
    return subprocess.run(
        [*command, example(language) + call],
        input=json.dumps(message),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("language", RUNNERS)
def test_an_example_takes_what_is_ours_and_nothing_else(language: str) -> None:
    program = RUNNERS[language][0][0]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    secret, earlier = webhooks.new_secret(), webhooks.new_secret()
    body = '{"type":"comment.approved","data":{"page":"/Zoë"}}'

    def message(at: int, **changes: Any) -> dict[str, Any]:
        taken = Taken("0" * 32, "", "", body, 0, 0, 1, (earlier, secret))
        headers = webhooks.signature_headers(taken, at)
        return {"body": body, "headers": headers, "secret": secret} | changes

    sound = run(language, message(now_ms()))
    assert (sound.returncode, sound.stdout) == (0, "comment.approved\n"), sound.stderr
    forged = [
        message(now_ms(), body=body.replace("approved", "rejected")),
        message(now_ms(), secret=webhooks.new_secret()),
        message(now_ms() - 10 * MINUTE),
    ]
    for one in forged:
        refused = run(language, one)
        assert refused.returncode != 0
        assert refused.stdout == ""
