"""Processes: Redis, web server, workers, and what keeps them running."""
