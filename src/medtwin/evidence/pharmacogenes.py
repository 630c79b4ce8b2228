"""Pharmacogenes called from the test files of PharmCAT, each against the call that its own name states.

    python -m medtwin.evidence.pharmacogenes FOLDER --out docs/evidence/pharmacogenes.md

``FOLDER`` is ``vcf_pharmcat``: 38 files of one sample each (PharmGKB/PharmCAT 5431bf1, MPL-2.0, read as data). The expected
diplotypes were typed from the names, not from what is called; where PharmCAT's own test reads the very file, its
expectation stands beside.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from medtwin.sources.pharmacogene_call import ASSUMED, Call, call
from medtwin.sources.pharmacogenes import Gene, genes
from medtwin.sources.vcf import sample_rows

#: file -> diplotypes that its name states; empty: no call; None: the name states no diplotype
NAMED: dict[str, tuple[str, ...] | None] = {
    "TPMT/het3a": ("*1/*3A",), "TPMT/hom1s_het3a": ("*1/*3A",), "TPMT/s15offdata": (), "TPMT/s16s22": ("*16/*22",),
    "TPMT/s1s1": ("*1/*1",), "TPMT/s1s1s": ("*1/*1",), "TPMT/s1ss1ss3": ("*1/*3A",), "TPMT/s3as3b": ("*3A/*3B",),
    "TPMT/s3bs3c": ("*3B/*3C",), "TPMT/unexpected.allele": (), "TPMT/unexpected.allele.with.s9": (),
    "cyp2c19/noCall": (), "cyp2c19/rs12769205call": None, "cyp2c19/rs12769205missingrs4244285het": None,
    "cyp2c19/rs12769205only": None, "cyp2c19/rs12769205ref": None, "cyp2c19/s15s28": ("*15/*28",), "cyp2c19/s1s1": ("*1/*1",),
    "cyp2c19/s1s17": ("*1/*17",), "cyp2c19/s1s17s1s4bmissing": ("*1/*17", "*1/*4"),
    "cyp2c19/s1s17s1s4bmissingmore": ("*1/*17", "*1/*4"), "cyp2c19/s1s1rs12248560missing": ("*1/*1",), "cyp2c19/s1s2": ("*1/*2",),
    "cyp2c19/s1s28": ("*1/*28",), "cyp2c19/s1s2rs3758581missing": ("*1/*2",),
    "cyp2c19/s1s2rs3758581missingRs58973490het": ("*1/*2",), "cyp2c19/s1s2rs58973490het": ("*1/*2",),
    "cyp2c19/s1s35": ("*1/*35",), "cyp2c19/s1s4b": ("*1/*4",), "cyp2c19/s1s4s17": ("*1/*4", "*4/*17"),
    "cyp2c19/s2s2": ("*2/*2",), "cyp2c19/s2s3": ("*2/*3",), "cyp2c19/s4as4b": ("*4/*4",), "cyp2c19/s4bs17": ("*4/*17",),
    "cyp2c19/s4bs17rs28399504missing": ("*4/*17",), "cyp2c19/s4s17het": ("*4/*17",), "cyp2c19/s4s17missingS1": ("*4/*17",),
    "cyp2c19/sUnks17": (),
}  # fmt: skip
#: what PharmCAT's own tests expect of the same bytes (NamedAlleleMatcherTpmtTest, NamedAlleleMatcherCyp2c19Test)
TESTED = {
    "TPMT/s1s1": ("*1/*1",), "TPMT/s1s1s": ("*1/*1",), "TPMT/s3bs3c": ("*1/*3A", "*3B/*3C"), "TPMT/s3as3b": ("*3A/*3B",),
    "TPMT/s16s22": ("*16/*22",), "TPMT/s1ss1ss3": ("*1/*3A", "*3B/*3C"),
    "cyp2c19/s4bs17rs28399504missing": ("*4/*4", "*4/*17", "*17/*17"),
}  # fmt: skip
READINGS = {
    "TPMT/hom1s_het3a": "*1S, which is homozygous here, is no allele any more: 18138983 defines none",
    "TPMT/s1s1s": "*1S is no allele any more", "TPMT/s1ss1ss3": "*1S is no allele any more; *3 without a letter is read as *3A",
    "TPMT/s15offdata": "an insertion at the position of *15 that no definition has", "cyp2c19/sUnks17": "one allele is unknown",
    "cyp2c19/s1s17s1s4bmissing": "*4B is *4 now", "cyp2c19/s1s17s1s4bmissingmore": "*4B is *4 now",
    "cyp2c19/s1s4b": "*4B is *4 now", "cyp2c19/s4as4b": "*4A and *4B are *4 now", "cyp2c19/s4bs17": "*4B is *4 now",
    "cyp2c19/s1s4s17": "three alleles: *1 and *4, or *4 and *17", "cyp2c19/s4bs17rs28399504missing": "*4B is *4 now",
}  # fmt: skip
UNREAD, SPLIT = "positions that were not read", "another split of unphased genotypes"


@dataclass(frozen=True, slots=True)
class Row:
    """One file: what its name states and what was called."""

    name: str
    expected: tuple[str, ...] | None
    alone: Call  #: from what was read
    stated: Call  #: with the file's own assumptions, too

    @property
    def agrees(self) -> bool | None:
        """Whether what is expected is among what is called, and a no call is none; None where the name states nothing."""
        if self.expected is None:
            return None
        return set(self.expected) <= set(self.stated.diplotypes) if self.expected else not self.stated.diplotypes

    @property
    def only(self) -> bool:
        """Whether nothing else was called."""
        return self.expected is not None and set(self.expected) == set(self.stated.diplotypes)

    def reasons(self) -> dict[str, int]:
        """Why the other diplotypes are called, with how many."""
        gene = genes()[self.stated.gene]
        unread = {number for number, position in enumerate(gene.positions) if position.name in self.stated.missing}
        found: dict[str, int] = {}
        expected = [allele for one in self.expected or () for allele in one.split("/")]
        for one in self.stated.diplotypes:
            if one in (self.expected or ()):
                continue
            alike = all(any(_alike(gene, allele, other, unread) for other in expected) for allele in one.split("/"))
            reason = UNREAD if alike or not expected else SPLIT
            found[reason] = found.get(reason, 0) + 1
        return found


def _alike(gene: Gene, one: str, other: str, unread: set[int]) -> bool:
    """Whether two alleles may look the same at all positions that were read."""
    pairs = zip(gene.alleles[one], gene.alleles[other], strict=True)
    return all(number in unread or not mine.isdisjoint(its) for number, (mine, its) in enumerate(pairs))


def rows(folder: Path) -> Iterator[Row]:
    """Every file, in the order of the names."""
    for name, expected in NAMED.items():
        _, read = sample_rows((folder / f"{name}.vcf").read_bytes())
        gene = genes()["TPMT" if name.startswith("TPMT") else "CYP2C19"]
        alone, stated = (call(gene, read.found, assume=assume) for assume in ASSUMED[:2])
        yield Row(name, expected, alone, stated)


def page(found: list[Row]) -> str:
    told = [row for row in found if row.agrees is not None]
    agree, only = sum(bool(row.agrees) for row in told), sum(row.only for row in told)
    lines = [
        "# Pharmacogenes against the names of PharmCAT's test files",
        "",
        "Generated by `python -m medtwin.evidence.pharmacogenes FOLDER`; do not edit. FOLDER holds 38 files of PharmCAT",
        "(MPL-2.0, read as data), most named by the call that is expected of them; the expected calls were typed from the",
        "names. medtwin gives every diplotype that agrees with the genotypes, PharmCAT the one that explains most positions, so",
        "that ours are more: each of the others has its reason in the last column.",
        "",
        f"Of {len(found)} files {len(told)} state a call, or that there is none. In **{agree} of {len(told)}** it is among what",
        f"is called (no call where none is expected); in {only} nothing else is. The definitions are of",
        f"{genes()['TPMT'].version[:10]}, the files of 2015 to 2021: positions of newer alleles are in none of them, and what",
        "was not read is left open.",
        "",
        "*Read* is what follows from genotypes that were read; *with assumptions* takes what the file marks `assume-default`",
        "for read, too.",
        "",
        "| file | by its name | PharmCAT's test of it | read | with assumptions | agrees | other diplotypes, by reason |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in found:
        expected = "none stated" if row.expected is None else " and ".join(row.expected) or "no call"
        if row.name in READINGS:
            expected += f" ({READINGS[row.name]})"
        why = [f"{count} {reason}" for reason, count in row.reasons().items()]
        if not row.stated.diplotypes:
            why = [row.stated.why[0]]
        agrees = {None: "", True: "yes", False: "**no**"}[row.agrees]
        tested = " and ".join(TESTED.get(row.name, ()))
        lines.append(
            f"| {row.name} | {expected} | {tested} | {_cell(row.alone)} | {_cell(row.stated)} | {agrees} | {'; '.join(why)} |"
        )
    lines += [
        "",
        "## Limits",
        "",
        "- The files are of two genes and made for tests; no real genome was at hand. The other eight genes are tested on",
        "  genotypes made from the definitions, and on the file of all positions, where all ten are the reference, as in",
        "  PharmCAT's own example report.",
        "- PharmCAT drops alleles that only unread positions would tell; here they stay possible, so a file that is older than",
        "  the definitions rarely has one answer.",
    ]
    return "\n".join(lines) + "\n"


def _cell(one: Call) -> str:
    return one.said.removeprefix("cannot tell between ") if one.diplotypes else "no call"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    made = page(list(rows(given.folder)))
    if given.out is None:
        print(made, end="")
    else:
        given.out.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
