"""SRD: find and undo backdoor poison in image-caption data before a vision-language model is fine-tuned on it.

Everything that the pipeline does, as plain Python. Orchestration (Prefect) lives in `tasks/` and `flows/`; nothing here imports it.
"""

__version__ = "0.1.0"
