"""`python -m benchmarks.serve MODULE:FACTORY`: an application on the service's own web server, with
the service's settings for it."""

import sys

from moderation.config import Settings
from moderation.running.server import serve

if __name__ == "__main__":
    serve(Settings.from_environment(), sys.argv[1])
