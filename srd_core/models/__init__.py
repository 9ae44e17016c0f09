"""Captioners behind one protocol (`captioner.Captioner`)."""
