"""What waits in the queue."""

from redis import Redis

from moderation.queues import QueueName, queue


def waiting_ids(redis: Redis) -> set[str]:
    """The ids of the comments that wait for a worker."""
    return {i for job in queue(redis, QueueName.DECIDE).jobs for i in job.args[0]}
