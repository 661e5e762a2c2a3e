"""The website's side: published comments, feeds, protocols, checks that wait for a decision."""
