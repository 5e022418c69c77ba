"""From one text to one Reading: the pipeline, step by step. Pure; never raises; never an empty answer."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from notifier.core.triage.context import Context, Standing
from notifier.core.triage.lexicon import Finding
from notifier.core.triage.numbers import Quantity, Scene, celsius, quantities, temperature_kind, vitals
from notifier.core.triage.optout import opts_out, starts_with_stop
from notifier.core.triage.prompts import QUIET, Text, in_the_light_of, worry_left
from notifier.core.triage.raising import features, is_plain, raised
from notifier.core.triage.rules import Rules
from notifier.core.triage.values import Evidence, Reading, Row
from notifier.core.triage.words import Word, plain, split
from notifier.core.vocabulary import Flag, Intent, Prompt, Urgency, most_urgent

CLINICAL = frozenset(("emergency", "drug safety", "symptoms", "line", "pump"))
QUESTIONS = frozenset(
    {
        *(
            "SIDE_EFFECT_Q",
            "EDUCATION",
            "DEVICE_QUESTION",
            "DRUG_INTERACTION",
            "DAILY_LIVING",
            "SCHEDULE_Q",
            "STORAGE_Q",
        ),
        *("WARMUP_Q", "PREMED_Q", "ELIGIBILITY_Q", "REFERRAL_Q", "CLEAN_SPACE", "MIXING_HELP", "LAB_Q", "DOCTOR_APPT"),
    }
)
_SUPPOSED = {"pump": "DEVICE_QUESTION", "line": "EDUCATION"}
_INSTRUCTION = re.compile(
    r"\b(?:Reply|Responda) (?:FEVER|MISSING|DAMAGED|YES|OK|NOT OK|CHANGE|STOP|HELP|LATE|CALL|READY|DONE|WET|LOW|START|"
    r"BIEN|MAL|FALTA|ROTO|SI|CAMBIAR|ALTO|AYUDA|TARDE|LISTO|LLAMEME|MOJADO|POCO)\b[^.!?\n]*[.!?\n]?"
)
SETTLED = frozenset(
    ("OK_FINE", "THANKS", "AUTO_REPLY", "SPAM_ABUSE", "DOSE_DONE", "DELIVERY_CONFIRM", "DELIVERY_RECEIVED")
)
_RUN = 5  # words in a row that, equal to ours, are a quotation
LONGEST = 4000  # characters; the longest text a phone can send has 1600


def read(
    text: str,
    rules: Rules,
    *,
    prompt: Prompt | None = None,
    flags: frozenset[Flag] = frozenset(),
    last_outbound: str = "",
) -> Reading:
    """What a text says: `prompt` is the question it answers, `flags` the plan's, `last_outbound` our last message."""
    reading, prepared = by_rules(text, rules, prompt=prompt, flags=flags, last_outbound=last_outbound)
    if rules.learned is None or not prepared.words or is_plain(reading, prepared):
        return reading
    opinion = rules.learned.opinion(plain(prepared.raw), features(reading, prepared, prompt))
    return raised(reading, opinion, prepared, rules)


def looks_red(text: str, rules: Rules) -> bool:
    """Whether a text is a red flag at a glance: by rules alone, without what it answers. `read` has the last word."""
    return by_rules(text, rules)[0].urgency.is_red


def by_rules(
    text: str,
    rules: Rules,
    *,
    prompt: Prompt | None = None,
    flags: frozenset[Flag] = frozenset(),
    last_outbound: str = "",
) -> tuple[Reading, Text]:
    """What the rules alone say, and the text as they saw it."""
    reaction = _reaction(text, rules)
    masked = _INSTRUCTION.sub(lambda found: " " * len(found.group()), reaction.rest if reaction else text)
    prepared = _prepare(masked[:LONGEST], rules, last_outbound)
    if reaction and not prepared.words:
        tapped = [Finding("TAPBACK", frozenset(), 0)]
        return _answer(text, rules, flags, tapped, prepared, (), None, reaction.doubtful), prepared
    if not prepared.words:
        quoted = bool(text.strip()) and bool(last_outbound or masked.strip() != text.strip())
        nothing = [Finding("OK_FINE" if quoted else "UNKNOWN", frozenset(), 0)]
        return _answer(text, rules, flags, nothing, prepared, (), None), prepared
    found, temperature = _find(prepared, rules, prompt)
    urgencies = {finding: _urgency(finding, rules) for finding in found}
    standings = Context(prepared.words, prepared.spans, prepared.commas).standings(found, urgencies)
    present, negated = _settle(found, standings, rules)
    present = _compounded(_explained(_answered(present, rules), rules), rules)
    stop = opts_out(prepared.words, prepared.spans) or starts_with_stop(prepared.raw, prepared.words, prepared.spans)
    if stop is not None:
        present = [one for one in present if not one.used <= stop or _urgency(one, rules).is_red]
        present = [*(one for one in present if one.kind not in QUIET | {"START"}), Finding("STOP", stop, 0)]
    explained = {number for finding in found for number in finding.used}
    present = in_the_light_of(prompt, present, negated, prepared)
    if {finding.kind for finding in present} <= SETTLED and worry_left(prepared, explained):
        present = [Finding("UNKNOWN", frozenset(), 0)]
    return _answer(text, rules, flags, present, prepared, negated, temperature, prompt=prompt), prepared


@dataclass(frozen=True)
class _Reaction:
    rest: str  # the raw text with the reaction blanked out
    doubtful: bool  # a dislike or a question mark: somebody should look


def _reaction(text: str, rules: Rules) -> _Reaction | None:
    """A phone's reaction to one of our messages, `Liked "..."`; what follows the quotation stays."""
    found = rules.reactions.match(text)
    if not found:
        return None
    return _Reaction(" " * found.end() + text[found.end() :], bool(found["doubt"]))


def _prepare(raw: str, rules: Rules, last_outbound: str) -> Text:
    everything = split(raw, rules.spelling)
    if last_outbound:
        everything = _without_quotes(everything, split(last_outbound, rules.spelling))
    words: list[Word] = []
    commas: set[int] = set()
    for word in everything:
        if word.kind != "mark":
            words.append(word)
        elif word.text in ",-/:" or word.text in ".;!?\n":
            commas.add(len(words))
    asks = any(word.kind == "mark" and word.text == "?" for word in everything)
    return Text(raw, words, rules.lexicon.spans(words), frozenset(commas), asks)


def _without_quotes(words: list[Word], ours: list[Word]) -> list[Word]:
    """The words but for runs of five or more that stand in our own message."""
    own = [word.text for word in ours if word.kind != "mark"]
    runs = {tuple(own[at : at + _RUN]) for at in range(len(own) - _RUN + 1)}
    plain = [number for number, word in enumerate(words) if word.kind != "mark"]
    quoted: set[int] = set()
    for at in range(len(plain) - _RUN + 1):
        run = plain[at : at + _RUN]
        if tuple(words[number].text for number in run) in runs:
            quoted.update(range(run[0], run[-1] + 1))
    return [word for number, word in enumerate(words) if number not in quoted]


def _find(text: Text, rules: Rules, prompt: Prompt | None) -> tuple[list[Finding], float | None]:
    """Every finding of words and numbers, and the highest temperature stated."""
    found = rules.lexicon.findings(text.words, text.spans)
    code = _whole_reply(text, rules)
    if code:
        found.append(Finding(code, frozenset(range(len(text.words))), text.words[0].sentence))
    scene = Scene(text.raw, text.words, text.spans, asked=prompt is Prompt.TEMPERATURE)
    numbers = quantities(text.words)
    measured = list(vitals(scene, numbers))
    taken = {number for finding in measured for number in finding.used}
    found.extend(measured)
    readings = [
        (value, quantity)
        for quantity in numbers
        if not taken & set(range(quantity.start, quantity.end)) and (value := celsius(quantity, scene)) is not None
    ]
    for value, quantity in readings:
        used = frozenset(range(quantity.start, quantity.end))
        found.append(Finding(temperature_kind(value), used, text.words[quantity.start].sentence))
    if any(temperature_kind(value) != "FEVER" for value, _ in readings):
        found = [finding for finding in found if not _asked_whether(finding, readings, text)]
    return found, max((value for value, _ in readings), default=None)


def _asked_whether(finding: Finding, readings: Sequence[tuple[float, Quantity]], text: Text) -> bool:
    """ "Is 99.9 a fever?" tells a reading; the word fever only asks about it."""
    numbers = {number for _, quantity in readings for number in range(quantity.start, quantity.end)}
    if finding.kind != "FEVER" or finding.used & numbers:
        return False
    return any(
        text.covers("is_it", quantity.start - 1) and quantity.end <= finding.first <= quantity.end + 3
        for _, quantity in readings
        if quantity.start
    )


def _whole_reply(text: Text, rules: Rules) -> str | None:
    everything = tuple(word.text for word in text.words)
    polite = tuple(word.text for number, word in enumerate(text.words) if not text.covers("courtesy", number))
    return rules.whole.get(everything) or rules.whole.get(polite)


def _urgency(finding: Finding, rules: Rules) -> Urgency:
    row = rules.rows.get(finding.kind)
    return most_urgent(*(level for level in (finding.urgency, row.urgency if row else None) if level is not None))


def _settle(
    found: Sequence[Finding], standings: Mapping[Finding, Standing], rules: Rules
) -> tuple[list[Finding], tuple[str, ...]]:
    """What is left when denials, history, suppositions and other people's pets are put where they belong."""
    present: list[Finding] = []
    negated: list[str] = []
    for finding in found:
        row = rules.rows[finding.kind]
        standing = standings[finding]
        clinical = row.group in CLINICAL
        if standing is Standing.PRESENT or (finding.kind in QUIET and standing is not Standing.NEGATED):
            present.append(finding)
        elif standing is Standing.NEGATED:
            if finding.kind not in negated and row.urgency is not Urgency.NONE:
                negated.append(finding.kind)
        elif standing is Standing.PAST and clinical:
            present.append(replace(finding, kind="PAST_HISTORY", urgency=None))
        elif standing is Standing.PAST and finding.kind in ("MISSING", "MISSING_MED", "DELIVERY_LATE", "DELIVERY_LOST"):
            present.append(replace(finding, kind="DELIVERY_RECEIVED", urgency=None))
        elif standing is Standing.SUPPOSED and clinical:
            present.append(replace(finding, kind=_SUPPOSED.get(row.group, "SIDE_EFFECT_Q"), urgency=None))
        elif standing is Standing.ANIMAL and clinical:
            present.append(replace(finding, kind="OK_FINE", urgency=None))
        else:
            present.append(finding)
    still = {finding.kind for finding in present}
    return present, tuple(kind for kind in negated if kind not in still)


def _answered(findings: Sequence[Finding], rules: Rules) -> list[Finding]:
    """The findings without the question "is it normal", where somebody has what it asks about."""
    sick = any(_urgency(finding, rules).is_red and rules.rows[finding.kind].group in CLINICAL for finding in findings)
    return [finding for finding in findings if not (sick and finding.kind == "SIDE_EFFECT_Q")]


def _explained(findings: Sequence[Finding], rules: Rules) -> list[Finding]:
    """The findings without those that another says better, or says with all of their words and more."""
    kept = list(findings)
    for better in sorted(findings, key=lambda finding: _urgency(finding, rules).rank):
        if better in kept:
            kept = [finding for finding in kept if not _replaces(better, finding, rules)]
    return [finding for finding in kept if not any(_swallows(other, finding, rules) for other in kept)]


def _replaces(better: Finding, finding: Finding, rules: Rules) -> bool:
    """Whether one code is said instead of another: a less urgent one only of the very words it explains."""
    if finding.kind not in rules.instead_of.get(better.kind, ()):
        return False
    return _urgency(better, rules).rank <= _urgency(finding, rules).rank or bool(better.used & finding.used)


def _swallows(longer: Finding, shorter: Finding, rules: Rules) -> bool:
    if longer.kind == shorter.kind or not shorter.used < longer.used or longer.kind in rules.parts_kept:
        return False
    return not _urgency(shorter, rules).is_red or _urgency(longer, rules).rank <= _urgency(shorter, rules).rank


def _compounded(findings: list[Finding], rules: Rules) -> list[Finding]:
    """The findings with the codes that several of them make together; each part stays."""
    made = list(findings)
    for compound in rules.compounds:
        one = next((finding for finding in made if finding.kind in compound.one), None)
        other = next((finding for finding in made if finding.kind in compound.other and finding != one), None)
        if one and other:
            made.append(Finding(compound.kind, one.used | other.used, one.sentence, compound.urgency))
    return made


def _intent(kinds: Sequence[str], prompt: Prompt | None, asks: bool) -> Intent:
    if "STOP" in kinds:
        return Intent.OPT_OUT
    if "START" in kinds:
        return Intent.OPT_IN
    if kinds[0] in ("HELP", "THANKS"):
        return Intent.HELP if kinds[0] == "HELP" else Intent.THANKS
    if any(kind in QUESTIONS for kind in kinds) or (asks and kinds[0] != "UNKNOWN"):
        return Intent.QUESTION
    if prompt is not None or kinds[0] in ("DELIVERY_CONFIRM", "DELIVERY_RECEIVED", "DOSE_DONE"):
        return Intent.ANSWER
    return Intent.OTHER if kinds[0] in ("UNKNOWN", "OK_FINE", "TAPBACK", "AUTO_REPLY", "SPAM_ABUSE") else Intent.REPORT


def _answer(
    raw: str,
    rules: Rules,
    flags: frozenset[Flag],
    findings: Sequence[Finding],
    text: Text,
    negated: Sequence[str],
    temperature: float | None,
    doubtful: bool = False,
    prompt: Prompt | None = None,
) -> Reading:
    levels: dict[str, Urgency] = {}
    for finding in sorted(findings, key=lambda one: min(one.used, default=0)):
        row = rules.rows[finding.kind]
        raised = (row.raised[flag] for flag in flags if flag in row.raised)
        level = most_urgent(_urgency(finding, rules), *raised)
        levels[finding.kind] = most_urgent(level, levels.get(finding.kind, Urgency.NONE))
    if Flag.CRITICAL_CONTINUOUS in flags and levels.keys() & {"PUMP_DEAD", "OUT_OF_MED", "MISSING_MED"}:
        levels["INOTROPE_STOPPED"] = rules.rows["INOTROPE_STOPPED"].urgency
    kinds = tuple(sorted(levels, key=lambda kind: (levels[kind].rank, rules.rows[kind].role is None)))
    rows: list[Row] = [rules.rows[kind] for kind in kinds]
    return Reading(
        kinds=kinds,
        urgency=levels[kinds[0]],
        role=rows[0].role,
        ticket=doubtful or any(row.opens_ticket for row in rows),
        intent=_intent(kinds, prompt, text.asks),
        negated=tuple(negated),
        evidence=tuple(_evidence(findings, text.words)),
        temperature_c=temperature,
    )


def _evidence(findings: Iterable[Finding], words: Sequence[Word]) -> list[Evidence]:
    seen = {
        Evidence(finding.kind, words[finding.first].start, words[finding.last].end, finding.rule)
        for finding in findings
        if finding.used
    }
    return sorted(seen, key=lambda one: (one.start, one.end, one.kind))
