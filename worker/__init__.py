"""The RQ side: jobs that decide what the web process stored, and the pool that runs them."""
