"""One thin Prefect task per stage, the caching policy, and the retry rule. No logic that a plain Python user would miss."""
