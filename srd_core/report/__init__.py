"""What a person reads at the end of a run: a verdict in five lines and one HTML page that opens offline."""
