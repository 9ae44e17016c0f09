"""What a run shows on its page in Prefect: the verdict. Pictures and tables are in the report; Prefect would strip them."""

from __future__ import annotations

import html
from typing import Any

from prefect.artifacts import create_markdown_artifact

_MARKS = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_{}[]()#+-.!|~>"})


def plain(text: str) -> str:
    """`text` as Markdown that shows it and nothing else: captions and names come from strangers."""
    return html.escape(" ".join(text.split()), quote=False).translate(_MARKS)


def show_verdict(sink: str, verdict: dict[str, Any]) -> None:
    """Attach the verdict's lines to the flow run."""
    lines = [f"# {plain(str(verdict['status']))}", *(plain(str(line)) for line in verdict["lines"]), f"Report: {plain(sink)}/report\\.html"]
    create_markdown_artifact(key="srd-verdict", markdown="\n\n".join(lines), description="Verdict of a cleansing run")
