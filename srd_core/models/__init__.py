"""Captioners behind one protocol (`captioner.Captioner`)."""

from srd_core.models.torchvision_shim import declare_operators

declare_operators()
