"""The moderation service: what websites and moderators talk to."""
