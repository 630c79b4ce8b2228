"""The first page: what was asked, whether it was decided beforehand, what departs from that, the answer, what failed."""

from __future__ import annotations

from medtwin.reports.document import Block, Box, Heading, Paragraph
from medtwin.trials.analysis_plan.analysed import Analysed, Result
from medtwin.trials.report.numbers import sentence

SYNTHETIC = "SYNTHETIC DATA"


def first_page(analysed: Analysed) -> tuple[Block, ...]:
    """Blocks up to the first page break, the title included."""
    blocks: list[Block] = [Heading(analysed.title or "Analysis of a trial", 1)]
    if analysed.synthetic:
        blocks.append(
            Box(SYNTHETIC, ("The patients are made up. Nothing here says anything about a treatment.",), "danger")
        )
    blocks.append(Paragraph(f"Analysed {analysed.made_at} with medtwin {analysed.version}."))
    blocks.append(Heading("Was it decided beforehand?"))
    blocks.append(lock(analysed))
    blocks.append(Heading("Question"))
    blocks.append(Paragraph(analysed.estimand or "The plan states no estimand."))
    blocks.append(Heading("Primary result"))
    blocks += primary(analysed)
    blocks += failures(analysed)
    return tuple(blocks)


def lock(analysed: Analysed) -> Box:
    """On the lock and every deviation from it."""
    each = tuple(f"{one.of}: {one.words}" for one in analysed.deviations)
    if not analysed.locked_at:
        said = "The plan was not locked before the outcomes were seen: nothing shows that it was not chosen by them."
        return Box("This analysis was not locked", (said, *each), "danger")
    seal = analysed.hashes.get("lock", "")
    when = f"The plan was locked at {analysed.locked_at}{f' (sha256 of the lock begins {seal[:12]})' if seal else ''}."
    if analysed.amendments:
        times = "once" if len(analysed.amendments) == 1 else f"{len(analysed.amendments)} times"
        told = [f"First locked at {analysed.first_locked_at}, amended {times}; {when[0].lower()}{when[1:]}"]
        for one in analysed.amendments:
            told += [f"{one.at}: {one.reason}", *(one.changes or ("Nothing of the plan itself was changed.",))]
        return Box(f"The lock was amended {times}", (*told, *each), "danger" if each else "caution")
    if each:
        count = "1 deviation" if len(each) == 1 else f"{len(each)} deviations"
        return Box(f"{count} from the lock", (when, *each), "danger")
    return Box("No deviation from the lock", (when,), "calm")


def primary(analysed: Analysed) -> list[Block]:
    """One sentence for each primary analysis."""
    found = [result for result in analysed.results if result.role == "primary"]
    if not found:
        return [Box("No primary analysis", ("The plan names none: no result here is the trial's answer.",), "caution")]
    return [_answer(result, several=len(found) > 1) for result in found]


def _answer(result: Result, *, several: bool) -> Block:
    about = f"{result.name}, {result.outcome}" if several else result.outcome
    if result.failure:
        return Box("The primary analysis failed", (f"{about}: {result.failure}",), "danger")
    if result.analysis is None or not result.analysis.estimates:
        return Box("The primary analysis has no estimate", (about,), "danger")
    return Paragraph(f"{about}. {sentence(result.analysis.estimates[0])}", strong=True)


def failures(analysed: Analysed) -> list[Block]:
    """Every analysis that gave no result, primary ones included."""
    failed = tuple(f"{one.name} ({one.role}, {one.method}): {one.failure}" for one in analysed.results if one.failure)
    if not failed:
        return [Paragraph("Every analysis of the plan gave a result.")]
    count = "1 analysis" if len(failed) == 1 else f"{len(failed)} analyses"
    return [Box(f"{count} of {len(analysed.results)} failed", failed, "danger")]
