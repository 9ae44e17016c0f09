"""Experiments: an attack planted in data, and everything beside it that a run needs to be measured. Known to nothing that decides."""
