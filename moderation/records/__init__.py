"""What comes in from elsewhere, and what is erased for good."""
