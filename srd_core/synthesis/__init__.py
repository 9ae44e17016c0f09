"""The poisoned set that the defence makes itself, and what it is made of: patches of textures, and a word among those of a caption.

Attacks are made of the same parts, and import them from here. Nothing here, and nothing that learns or decides, can reach an attack.
"""
