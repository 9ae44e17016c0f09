"""One thin Prefect task per stage, what is found again, and the retry rule. No logic that a plain Python user would miss."""
