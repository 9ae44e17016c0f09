"""The page a person reads: one HTML file without scripts or outside references, that opens offline and is safe to open.

The template escapes everything; only figures drawn by `srd_core.analysis` and our own data URIs go in as markup. The content security
policy forbids what should not be there anyway. At most LIMIT bytes, whatever the data.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from srd_core.report.data import ReportData
from srd_core.report.images import ImageBudget
from srd_core.report.page import page

if TYPE_CHECKING:
    from jinja2 import Environment

LIMIT = 3_000_000
"""Largest page, bytes."""

IMAGES = 2_000_000
"""Of these, for images."""


def render(data: ReportData) -> bytes:
    """The page, UTF-8; equal data gives equal bytes."""
    budget = ImageBudget(IMAGES)
    return _environment().get_template("report.html").render(page=page(data, budget)).encode()


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("srd_core.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
