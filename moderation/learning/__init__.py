"""From what people decide to labels, goals, a site's own model, and the watch over it."""
