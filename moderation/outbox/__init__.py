"""Messages to sites: written with what they tell of, and delivered later."""
