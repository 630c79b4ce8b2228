"""Which drugs are given as a quantity of their own: rapid insulin is a bolus, long-acting insulin another quantity.

By RxNorm ingredient where the code is one, else by the words of the drug's display: product codes are many, and the
ingredient stands in their names. A premixed or an NPH insulin is neither, and stays a medication only.
"""

from __future__ import annotations

import re

from medtwin.quantities import registry
from medtwin.quantities.quantity import Quantity
from medtwin.sources.fhir_shapes import CodeableConcept

_NEITHER = re.compile(r"protamine|isophane|\bnph\b|\bmix|biphasic|\d\d\s*/\s*\d\d|ryzodeg|xultophy|soliqua", re.I)
_RAPID = re.compile(
    r"lispro|aspart|glulisine|humalog|novolog|novorapid|fiasp|apidra|lyumjev|admelog|insulin,? (human )?regular|"
    r"regular insulin|actrapid|humulin r\b|novolin r\b",
    re.I,
)
_LONG = re.compile(r"glargine|detemir|degludec|lantus|toujeo|basaglar|levemir|tresiba|semglee|abasaglar", re.I)


def dose_quantity(drug: CodeableConcept) -> Quantity | None:
    """The quantity that a dose of ``drug`` is an amount of, or None."""
    for coding in drug.coding:
        quantity = registry.by_code(coding.system, coding.code)
        if quantity is not None and quantity.unit:
            return quantity
    words = " ".join([drug.text, *(coding.display for coding in drug.coding)])
    if _NEITHER.search(words):
        return None
    if _RAPID.search(words):
        return registry.get("insulin_bolus")
    return registry.get("insulin_long_acting") if _LONG.search(words) else None
