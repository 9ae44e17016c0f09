"""Make `import torchvision` work beside a CPU build of torch.

torchvision's wheels register their compiled operators only with the torch build they were made for; next to another build
the import stops at "operator torchvision::nms does not exist", and with it open_clip, open_flamingo and much of transformers.
Declaring the two operators' signatures is enough for everything used here (transforms, model definitions). It does not make
`torchvision.ops.nms` or `torchvision.io` work.
"""

from __future__ import annotations

import torch

_OPERATORS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[torch.library.Library] = []


def declare_operators() -> None:
    """Declare torchvision's two import-time operators when its own build does not. Safe to call again, and without torchvision."""
    if _declared or torch.version.cuda is not None or torch.version.hip is not None:
        return
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for signature in _OPERATORS.values():
        library.define(signature)  # type: ignore[no-untyped-call]
    _declared.append(library)
