"""`moderation demo-data`: posts labelled comments to a running service, as a website would, and
compares what it decides with the labels."""
