"""A figure read back from its SVG, by someone who knows nothing of how it was drawn: shapes by key, axes from their ticks."""

from xml.etree import ElementTree

import numpy as np

SPACE = "{http://www.w3.org/2000/svg}"


def parsed(text: str) -> ElementTree.Element:
    """The root element; raises where it is not well-formed."""
    return ElementTree.fromstring(text)


def keyed(root: ElementTree.Element, key: str) -> list[ElementTree.Element]:
    """Elements of this key."""
    return [one for one in root.iter() if one.get("data-key") == key]


def points(element: ElementTree.Element) -> np.ndarray:
    """(point, 2) of any shape; of a circle its centre."""
    if element.tag == f"{SPACE}circle":
        return np.array([[float(element.get("cx")), float(element.get("cy"))]])
    if element.tag == f"{SPACE}line":
        return np.array([[float(element.get(f"{axis}{end}")) for axis in "xy"] for end in "12"])
    if element.tag == f"{SPACE}text":
        return np.array([[float(element.get("x")), float(element.get("y"))]])
    return np.array([[float(part) for part in pair.split(",")] for pair in element.get("points").split()])


def everything(root: ElementTree.Element) -> np.ndarray:
    """(point, 2) of all shapes and words."""
    kinds = ("polyline", "polygon", "line", "circle", "text")
    return np.vstack([points(one) for kind in kinds for one in root.iter(f"{SPACE}{kind}")])


def ticks(root: ElementTree.Element, *, upright: bool, near: float, log: bool = False):
    """Map from points to the quantity, from the numbers written along ``near`` (their y, or of an upright axis their x)."""
    found = []
    for one in root.iter(f"{SPACE}text"):
        x, y = points(one)[0]
        words = (one.text or "").removesuffix(" %")
        try:
            value = float(words)
        except ValueError:
            continue
        if abs((x if upright else y) - near) < 0.01:
            found.append((y - 3.5 if upright else x, value / 100.0 if words != one.text else value))
    assert len(found) >= 2, found
    places, values = np.array(found).T
    slope, offset = np.polyfit(places, np.log(values) if log else values, 1)
    reach = np.ptp(np.log(values) if log else values)
    assert np.abs(offset + slope * places - (np.log(values) if log else values)).max() < 2e-3 * reach
    return lambda place: np.exp(offset + slope * place) if log else offset + slope * place
