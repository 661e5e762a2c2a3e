"""What can be wrong with a file."""


class DamagedFile(Exception):  # noqa: N818 - what the file is
    """A file that cannot be read, or not any further; the message says where and why."""
