"""A VCF scanned for pharmacogenes against polars' raw ``read_csv`` of the same file, in one run.

    python -m benchmarks.vcf [--json] [--variants 500000] [--rounds 5]

The file is synthetic, of one sample, in memory for both. Gate: variants a CPU second of the scan (header, genotypes at CPIC's
positions, calls of all genes) at least half of polars' that makes columns of text of it and nothing more. The ratio by the
clock on the wall, where polars uses every core, is printed beside, and the rate of the whole way from bytes to facts.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

GATES = {"ratio": 0.5}


def made(variants: int, seed: int = 1) -> bytes:
    """A VCF of that many variants with every position of the pharmacogenes among them, in order within each chromosome."""
    from medtwin.sources.pharmacogenes import genes
    from medtwin.sources.vcf_header import CHROMOSOMES, LENGTHS

    chance = random.Random(seed)
    wanted = {position.place: position for gene in genes().values() for position in gene.positions}
    rows: list[tuple[int, int, str]] = []
    for place, position in wanted.items():
        alt = ",".join(position.alternates)
        rows.append(
            (CHROMOSOMES.index(place[0]), place[1], f"{position.rsid or '.'}\t{position.reference}\t{alt}\t50\tPASS")
        )
    for _ in range(variants - len(rows)):
        number = chance.randrange(22)
        at = chance.randrange(1, LENGTHS["GRCh38"][CHROMOSOMES[number]])
        ref, alt = chance.sample("ACGT", 2)
        rows.append((number, at, f"rs{chance.randrange(1, 10**9)}\t{ref}\t{alt}\t{chance.randrange(20, 99)}\tPASS"))
    rows.sort()
    columns = "#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT S1".replace(" ", "\t")
    head = f"##fileformat=VCFv4.2\n##reference=GRCh38\n##fileDate=20240101\n{columns}\n"
    tail = [
        f"AC=1;AN=2;DP={depth}\tGT:DP\t{genotype}:{depth}\n" for depth in range(10, 60) for genotype in ("0/0", "0/1")
    ]
    body = "".join(
        f"chr{CHROMOSOMES[number]}\t{at}\t{rest}\t{tail[index % 100]}" for index, (number, at, rest) in enumerate(rows)
    )
    return (head + body).encode()


def best(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Least (CPU seconds, seconds on the wall) of several rounds, since other work on the machine only adds."""
    taken = []
    for _ in range(rounds):
        began, wall = time.process_time(), time.perf_counter()
        work()
        taken.append((time.process_time() - began, time.perf_counter() - wall))
    return min(cpu for cpu, _ in taken), min(seconds for _, seconds in taken)


def measure(variants: int, rounds: int) -> dict[str, float]:
    import polars as pl

    from medtwin.record.event import Event
    from medtwin.sources.archives import Plain
    from medtwin.sources.item import Intake, Origin
    from medtwin.sources.pharmacogene_call import calls
    from medtwin.sources.vcf import Reader, sample_rows

    content = made(variants)
    intake = Intake(file="a.vcf", now=datetime(2026, 1, 1, tzinfo=UTC), anonymous="nobody")

    def raw() -> int:
        return pl.read_csv(content, separator="\t", comment_prefix="##", infer_schema_length=0, quote_char=None).height

    def scanned() -> int:
        _, rows = sample_rows(content)
        calls(rows.found)
        return rows.seen

    def facts() -> int:
        found = 0
        for part in Reader().parts(Plain("a.vcf", len(content), lambda: io.BytesIO(content)), intake):
            found += sum(isinstance(item, Event) for item in part.read(Origin(raw="", file="a.vcf")))
        return found

    number = facts()  # warm
    if raw() != variants or scanned() != variants:
        raise SystemExit("the two do not read the same number of rows")
    (polars_cpu, polars_wall), (scan_cpu, scan_wall) = best(raw, rounds), best(scanned, rounds)
    facts_cpu, _ = best(facts, rounds)
    return {
        "variants": variants, "megabytes": len(content) / 1e6, "facts": number,
        "polars_variants_per_cpu_s": variants / polars_cpu, "scan_variants_per_cpu_s": variants / scan_cpu,
        "facts_variants_per_cpu_s": variants / facts_cpu, "ratio": polars_cpu / scan_cpu,
        "ratio_on_the_wall": polars_wall / scan_wall,
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--variants", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    figures = measure(options.variants, options.rounds)
    passed = figures["ratio"] >= GATES["ratio"]
    if options.json:
        print(json.dumps({"benchmark": "vcf", "figures": figures, "gates": GATES, "passed": passed}))
    else:
        print(f"{figures['variants']:,.0f} variants, {figures['megabytes']:.1f} MB, {figures['facts']:.0f} facts")
        print(f"polars read_csv    {figures['polars_variants_per_cpu_s'] / 1e6:8.2f} million variants/CPU-s")
        print(f"scan and calls     {figures['scan_variants_per_cpu_s'] / 1e6:8.2f} million variants/CPU-s")
        print(f"bytes to facts     {figures['facts_variants_per_cpu_s'] / 1e6:8.2f} million variants/CPU-s")
        print(f"ratio              {figures['ratio']:8.2f}   gate >= {GATES['ratio']:g}")
        print(f"on the wall        {figures['ratio_on_the_wall']:8.2f}   of polars on every core")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
