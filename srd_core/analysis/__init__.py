"""Figures and what is drawn in them. Nothing here is imported by a stage that decides about data."""
