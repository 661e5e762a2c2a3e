"""Text in, prediction out.

Pure: nothing here knows Flask, SQL, Redis or RQ, because the worker, the training commands and the
synchronous protocols of the web process all stand on it.
"""
