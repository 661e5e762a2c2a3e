"""What moderators see and do: the queue, cards, history and figures."""
