"""Who people and programs are, and whether they may come in."""
