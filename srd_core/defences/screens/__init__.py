"""Baseline defences that look at the whole suspect set and condemn pairs: one file each, found by name in one registry."""
