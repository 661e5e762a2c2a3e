"""Trains, measures and ships classifiers. Depends on the classifier, never the reverse."""
