"""Scoring: caption metrics, attack success, detection, coverage, and an interval for every figure."""
