"""C-CDA and other CDA R2 documents as XML: parsed once, with the small vocabulary of HL7 v3 data types that facts need.

HL7 v3 data types R1: CD (code, translations, originalText), TS and IVL_TS, PQ, II. ``nullFlavor`` means that a value is not
there; then a translation, the original text or the narrative that it refers to may carry the meaning. A document that declares
a document type is refused: CDA has none, and entities come only by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from xml.etree.ElementTree import Element, ParseError, XMLParser

from medtwin.errors import FormatError
from medtwin.quantities import registry
from medtwin.quantities.quantity import Quantity
from medtwin.record.event import Code
from medtwin.record.moment import Moment
from medtwin.sources.fact import Facts
from medtwin.sources.fhir_context import NONE_KNOWN
from medtwin.sources.hl7v2_times import before, known_from, moment

V3 = "{urn:hl7-org:v3}"
XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_DECLARATION = re.compile(rb"^\s*<\?xml[^>]*\?>")
#: besides XML that is none: an encoding that nobody knows, or one of several bytes a character
_UNREADABLE = (ParseError, LookupError, ValueError)
_ENTITIES = re.compile(rb"<!(?:DOCTYPE|ENTITY)")
_ENCODING = re.compile(rb"\s*<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_WRAPPED = (
    b'<fragment xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:sdtc="urn:hl7-org:sdtc" '
    b'xmlns:cda="urn:hl7-org:v3" xmlns:voc="urn:hl7-org:v3/voc">'
)

#: OIDs of code systems (HL7's OID registry) to the addresses that FHIR gives them
SYSTEMS = {
    "2.16.840.1.113883.6.1": "http://loinc.org", "2.16.840.1.113883.6.96": "http://snomed.info/sct",
    "2.16.840.1.113883.6.88": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "2.16.840.1.113883.12.292": "http://hl7.org/fhir/sid/cvx", "2.16.840.1.113883.6.59": "http://hl7.org/fhir/sid/cvx",
    "2.16.840.1.113883.6.69": "http://hl7.org/fhir/sid/ndc", "2.16.840.1.113883.6.90": "http://hl7.org/fhir/sid/icd-10-cm",
    "2.16.840.1.113883.6.3": "http://hl7.org/fhir/sid/icd-10", "2.16.840.1.113883.6.103": "http://hl7.org/fhir/sid/icd-9-cm",
    "2.16.840.1.113883.6.104": "http://hl7.org/fhir/sid/icd-9-cm", "2.16.840.1.113883.6.12": "http://www.ama-assn.org/go/cpt",
    "2.16.840.1.113883.6.4": "http://www.cms.gov/Medicare/Coding/ICD10", "2.16.840.1.113883.4.9": "http://fdasis.nlm.nih.gov",
    "2.16.840.1.113883.6.73": "http://www.whocc.no/atc", "2.16.840.1.113883.3.26.1.1": "http://ncithesaurus-stage.nci.nih.gov",
    "2.16.840.1.113883.5.4": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
}  # fmt: skip


@dataclass(slots=True)
class Context:
    """One document while it is read."""

    facts: Facts
    zone: str | None
    offset: int | None = None  #: no default in CDA: an offset stands at each time or nowhere
    made: Moment | None = None  #: the document's effectiveTime
    section: str = ""  #: LOINC code of the section at hand
    narrative: Element | None = None  #: its text
    used: dict[str, int] = field(default_factory=dict)  #: how often a key was said
    _texts: dict[str, str] | None = None

    def enter(self, section: str, narrative: Element | None) -> None:
        self.section, self.narrative, self._texts = section, narrative, None

    def time(self, element: Element | None) -> Moment | None:
        """TS: the moment of ``@value``, None where it states none. Raises FormatError."""
        return None if element is None else moment(element.get("value", ""), self.offset, self.zone)

    def interval(self, element: Element | None) -> tuple[Moment | None, Moment | None]:
        """IVL_TS: ``@value``, or low and high; one with its end alone is known by that, and is over.

        Raises FormatError where the end lies before the start.
        """
        if element is None:
            return None, None
        point = self.time(element)
        if point is not None:
            return point, None
        low, high = self.time(element.find(f"{V3}low")), self.time(element.find(f"{V3}high"))
        if low is None:
            center = self.time(element.find(f"{V3}center"))
            return (center, None) if center is not None else (high, high)
        if high is not None and before(high, low):
            raise FormatError(
                f"an interval that ends ({high.text}) before it begins ({low.text})", expected="low before high",
                remedy="ask the sender which of the two is wrong",
            )  # fmt: skip
        return low, high

    def referred(self, reference: str) -> str:
        """The narrative text of ``#id``."""
        if self._texts is None:
            self._texts = {}
            if self.narrative is not None:
                for one in self.narrative.iter():
                    name = one.get("ID")
                    if name:
                        self._texts[name] = " ".join("".join(one.itertext()).split())[:400]
        return self._texts.get(reference.lstrip("#"), "")

    def text(self, element: Element | None) -> str:
        """ED or ST: its own text, else the narrative that it refers to."""
        if element is None:
            return ""
        own = " ".join("".join(element.itertext()).split())
        if own:
            return own[:400]
        reference = element.find(f"{V3}reference")
        return self.referred(reference.get("value", "")) if reference is not None else ""

    def codings(self, element: Element | None) -> Iterator[tuple[str, str, str]]:
        """(system, code, display) of a CD and of its translations."""
        if element is None:
            return
        for one in (element, *element.findall(f"{V3}translation")):
            code = one.get("code")
            if code:
                yield system_of(one.get("codeSystem", "")), code, one.get("displayName", "")

    def code(self, element: Element | None, *, negated: bool = False, words: Element | None = None) -> Code | None:
        """The first coding, else the original text (of the code, else of the statement); None where nothing stands."""
        if element is None:
            return None
        for system, code, display in self.codings(element):
            shown = display or self.text(element.find(f"{V3}originalText"))
            return Code(system, code, shown, negated or code in NONE_KNOWN)
        text = self.text(element.find(f"{V3}originalText")) or element.get("displayName", "") or self.text(words)
        return Code("", "", text, negated) if text else None

    def quantity(self, element: Element | None) -> Quantity | None:
        for system, code, _ in self.codings(element):
            found = registry.by_code(system, code)
            if found is not None:
                return found
        return None

    def once(self, name: str) -> str:
        """The key, made different where the document says it a second time."""
        times = self.used[name] = self.used.get(name, 0) + 1
        return name if times == 1 else f"{name}#again{times}"

    def known(self, author: Moment | None) -> datetime | None:
        """When it could be known: when its author wrote it, else when the document was made."""
        chosen = author or self.made
        return None if chosen is None else known_from(chosen)


def system_of(oid: str) -> str:
    return SYSTEMS.get(oid) or (f"urn:oid:{oid}" if oid else "")


def child(element: Element, *path: str) -> Element | None:
    """The first element at a path of names."""
    found: Element | None = element
    for name in path:
        if found is None:
            return None
        found = found.find(V3 + name)
    return found


def utf8(content: bytes) -> bytes:
    """UTF-16 as UTF-8 without its declaration; everything else as it is."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:4]:
        codec = (
            "utf-16"
            if content[:2] in (b"\xff\xfe", b"\xfe\xff")
            else "utf-16-le"
            if content[1:2] == b"\0"
            else "utf-16-be"
        )
        return _DECLARATION.sub(b"", content.decode(codec, "replace").encode().removeprefix(b"\xef\xbb\xbf"))
    return content.removeprefix(b"\xef\xbb\xbf").lstrip()


def document(content: bytes) -> Element:
    """The root; a fragment whose prefixes are declared in an outer document is wrapped first. Raises FormatError."""
    content = utf8(content)
    if _ENTITIES.search(content):
        raise FormatError("a document type or an entity", expected="a CDA document, which has none", where="the prolog")
    try:
        root = _parsed(content)
    except _UNREADABLE as error:
        try:
            return _wrapped(content)
        except _UNREADABLE:
            raise FormatError(
                f"XML that cannot be read ({error})", expected="a CDA document", remedy="send the file again, whole"
            ) from error
    try:
        return root if root.tag.startswith("{") else _wrapped(content)
    except _UNREADABLE:  # a part of a document in a code page of its own, whose declaration was needed
        return root


def _wrapped(content: bytes) -> Element:
    """A fragment in an outer element; a document whose declared encoding the parser does not know comes out as itself."""
    declared = _ENCODING.match(content)
    if declared is not None:
        try:
            content = content.decode(declared[1].decode("ascii")).encode()
        except (LookupError, UnicodeError):
            pass  # nobody knows that encoding: what can be read as UTF-8 is
    if _ENTITIES.search(content):
        raise ValueError("a document type")
    root = _parsed(_WRAPPED + _DECLARATION.sub(b"", content) + b"</fragment>")
    return root[0] if len(root) == 1 and root[0].tag == f"{V3}ClinicalDocument" else root


def _parsed(content: bytes) -> Element:
    parser = XMLParser()  # noqa: S314 - see above: no document type, so no entity
    parser.feed(content)
    root: Element = parser.close()
    return root
