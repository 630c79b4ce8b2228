"""Trees as arrays, evaluated with NumPy alone.

A node with ``left >= 0`` sends a patient left where ``x[feature] <= threshold`` (x in 32 bit, threshold in 64, as
scikit-learn compares), else right; a leaf has ``left = -1`` and hands back its value. Children stand behind their parent,
so that a walk ends.
"""

from __future__ import annotations

import msgspec
import numpy as np


class Tree(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One tree, (node,) each."""

    feature: tuple[int, ...]  #: -1 of a leaf
    threshold: tuple[float, ...]  #: 0 of a leaf
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]

    def evaluate(self, single: np.ndarray) -> np.ndarray:
        """(patient,) value of each patient's leaf; ``single`` (patient, column) in 32 bit."""
        feature, threshold = np.asarray(self.feature), np.asarray(self.threshold, float)
        left, right = np.asarray(self.left), np.asarray(self.right)
        node = np.zeros(len(single), dtype=int)
        rows = np.arange(len(single))
        for _ in range(len(self.left)):
            inner = left[node] >= 0
            if not inner.any():
                break
            here = node[inner]
            goes = single[rows[inner], feature[here]].astype(float) <= threshold[here]
            node[inner] = np.where(goes, left[here], right[here])
        return np.asarray(self.value, float)[node]

    def check(self, columns: int) -> str:
        """What is wrong with it, or nothing."""
        size = len(self.left)
        if not size or any(len(part) != size for part in (self.feature, self.threshold, self.right, self.value)):
            return "a tree whose arrays differ in length"
        for node, (feature, left, right) in enumerate(zip(self.feature, self.left, self.right, strict=True)):
            if left == -1 and right == -1 and feature == -1:
                continue
            if not (node < left < size and node < right < size and 0 <= feature < columns):
                return f"a tree whose node {node} leads nowhere"
        return ""


def frozen(tree: object) -> Tree:
    """From scikit-learn's public ``tree_``."""
    leaf = np.asarray(tree.children_left) < 0  # type: ignore[attr-defined]
    return Tree(
        feature=tuple(int(k) for k in np.where(leaf, -1, tree.feature)),  # type: ignore[attr-defined]
        threshold=tuple(float(t) for t in np.where(leaf, 0.0, tree.threshold)),  # type: ignore[attr-defined]
        left=tuple(int(k) for k in tree.children_left),  # type: ignore[attr-defined]
        right=tuple(int(k) for k in tree.children_right),  # type: ignore[attr-defined]
        value=tuple(float(v) for v in np.asarray(tree.value).reshape(len(leaf))),  # type: ignore[attr-defined]
    )
