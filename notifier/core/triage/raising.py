"""What the learned layer may do to a reading: raise it, name what no rule explains, and nothing else.

It never takes back what a rule has found, and never lowers it. Only where no rule found anything at all may it say that
a text is a known small matter, or small talk.
"""

from collections.abc import Sequence
from dataclasses import replace

from notifier.core.triage.learned import Limits, Opinion
from notifier.core.triage.prompts import QUIET, Text
from notifier.core.triage.rules import Rules
from notifier.core.triage.values import Evidence, Reading
from notifier.core.vocabulary import Intent, Prompt, Role, Urgency, most_urgent

LIKE = "like "  # how the rule of a finding begins that likeness made
VAGUE = frozenset(("UNKNOWN", "NOT_WELL"))
_FOR_QUIET = QUIET | {"UNKNOWN"}
MOST = 3  # codes that it names at once
SURE = 0.05  # so much louder an alarm must be where the rules found another reason, and no code is likely
LITTLE = 0.14  # of a need, where the rules know the text: less is none, and as little below 1 is surely one
SHORT = 3  # words; so few, where a rule knows them, say what they say


def features(reading: Reading, text: Text, prompt: Prompt | None) -> list[str]:
    """What the rules made of a text, as the learned layer weighs it."""
    return [
        *(f"kind {kind}" for kind in reading.kinds),
        *(f"said {name}" for name in sorted(text.spans) if not name.startswith("=")),
        *(["denies"] if reading.negated else []),
        *(["asks"] if text.asks else []),
        *([f"asked {prompt}"] if prompt else []),
        f"urgency {reading.urgency}",
    ]


def is_plain(reading: Reading, text: Text) -> bool:
    """So few words that rules know say what they say: no likeness counts beside them."""
    return _is_known(reading) and len(text.words) <= SHORT


def _is_known(reading: Reading) -> bool:
    """Whether the rules say what it is."""
    return reading.kinds != ("UNKNOWN",) and bool(reading.evidence or reading.negated)


def raised(reading: Reading, opinion: Opinion, text: Text, rules: Rules) -> Reading:
    """The reading in the light of the learned layer's opinion."""
    assert rules.learned is not None
    limits = rules.learned.limits
    known = _is_known(reading)
    named = [name for name in _named(opinion, rules, limits.name, red=True) if rules.rows[name].urgency.is_red]
    vague = known and reading.ticket and not reading.urgency.is_red and not named  # a desk has it, for another reason
    if alarm(opinion, rules) >= limits.page + (SURE if vague else 0.0):
        return _paged(reading, opinion, text, rules, limits)
    if reading.urgency.is_red:
        return _with(reading, _named(opinion, rules, limits.add, red=False), opinion, text, rules)
    if reading.intent in (Intent.OPT_OUT, Intent.OPT_IN):
        return reading
    seen_already = known and reading.ticket
    doubtful = opinion.red >= limits.look * 2 and opinion.care >= LITTLE if known else opinion.red >= limits.look
    if doubtful and not seen_already:
        return _looked_at(reading, opinion, text, rules, limits)
    if reading.kinds == ("UNKNOWN",):
        return _explained(reading, opinion, text, rules, limits)
    more = _with(reading, _named(opinion, rules, limits.add, red=False), opinion, text, rules)
    if not more.ticket and opinion.care >= 1 - LITTLE and len(text.words) > SHORT:
        return _with(reading, ["UNKNOWN"], opinion, text, rules)  # the rules are content, the examples are not
    return more


def alarm(opinion: Opinion, rules: Rules) -> float:
    """How loudly the examples call for a page, from about 0 to 1: for any red flag, and for the likeliest one."""
    likeliest = max((score for kind, score in opinion.kinds.items() if rules.rows[kind].urgency.is_red), default=0.0)
    return (opinion.red + 0.8 * likeliest) / 1.8


def _paged(reading: Reading, opinion: Opinion, text: Text, rules: Rules, limits: Limits) -> Reading:
    """Somebody is paged, and the likeliest red flag is named where the rules named none."""
    emergency = opinion.emergency >= limits.emergency
    level = most_urgent(reading.urgency, Urgency.EMERGENCY if emergency else Urgency.URGENT)
    names = _named(opinion, rules, limits.add, red=True)
    if reading.urgency.is_red and not emergency:  # somebody is paged: one doubtful name makes no emergency of it
        names = [name for name in names if rules.rows[name].urgency.rank >= reading.urgency.rank]
    if level is not reading.urgency and not any(rules.rows[name].urgency.rank <= level.rank for name in names):
        likely = [name for name in opinion.kinds if rules.rows[name].urgency is level][:1]
        names = [*names, *(likely if reading.urgency.is_red is False or emergency else [])]
    if not names and not reading.urgency.is_red:
        names = ["NOT_WELL"]
    return _with(reading, names, opinion, text, rules, level)


def _looked_at(reading: Reading, opinion: Opinion, text: Text, rules: Rules, limits: Limits) -> Reading:
    """A nurse looks, whatever else the text is."""
    unreadable = reading.kinds == ("UNKNOWN",) and bool(reading.evidence)  # as the rules say
    names = [] if unreadable else _named(opinion, rules, limits.add, red=False)
    seen = _with(reading, names or ([] if reading.ticket else ["UNKNOWN"]), opinion, text, rules, Urgency.SAME_DAY)
    return replace(seen, role=Role.NURSE, ticket=True, look=True)


def _explained(reading: Reading, opinion: Opinion, text: Text, rules: Rules, limits: Limits) -> Reading:
    """What no rule explains, as a known matter or as small talk, where the examples are sure of it."""
    names = _named(opinion, rules, limits.name, red=False)
    needs = [name for name in names if rules.rows[name].opens_ticket]
    if needs:
        return _with(reading, needs, opinion, text, rules) if needs[0] != "UNKNOWN" else reading
    if opinion.kinds.get("STOP", 0.0) >= limits.name or "stop_word" in text.spans:
        return reading  # perhaps they want no more texts: that is a person's to say
    if reading.evidence:
        return reading  # the rules know it as what nobody can understand
    if opinion.care <= limits.chatter and "worry" not in text.spans:
        return _with(reading, names or ["OK_FINE"], opinion, text, rules)
    return reading


def _named(opinion: Opinion, rules: Rules, least: float, *, red: bool) -> list[str]:
    """The likely codes; `red`: with those that page somebody."""
    likely = [kind for kind, score in opinion.kinds.items() if score >= least and kind in rules.rows]
    return [kind for kind in likely if kind != "STOP" and (red or not rules.rows[kind].urgency.is_red)][:MOST]


def _with(
    reading: Reading, names: Sequence[str], opinion: Opinion, text: Text, rules: Rules, level: Urgency = Urgency.NONE
) -> Reading:
    """The reading with more codes, at least as urgent as before and as `level`; what they explain is left out."""
    new = [name for name in names if name not in reading.kinds]
    needs = [name for name in new if rules.rows[name].opens_ticket]
    if reading.kinds != ("UNKNOWN",):
        new = needs if len(text.words) > SHORT or (level.is_red and not reading.urgency.is_red) else []
    if not new and most_urgent(level, reading.urgency) is reading.urgency:
        return reading
    dropped = (_FOR_QUIET if needs else VAGUE if new else frozenset()) - set(names)
    kept = [kind for kind in reading.kinds if kind not in dropped or (kind == "NOT_WELL" and not needs)]
    kinds = sorted({*kept, *new}, key=lambda kind: (rules.rows[kind].urgency.rank, rules.rows[kind].role is None, kind))
    found = reading.urgency if kept else Urgency.NONE
    urgency = most_urgent(level, found, *(rules.rows[kind].urgency for kind in kinds))
    if not kinds:
        kinds = list(reading.kinds)
    mark = [Evidence(name, 0, len(text.raw), f"{LIKE}{opinion.like[0]!r}") for name in new if text.raw]
    return replace(
        reading,
        kinds=tuple(kinds),
        urgency=urgency,
        role=rules.rows[kinds[0]].role or (Role.NURSE if urgency.is_red else None),
        ticket=any(rules.rows[kind].opens_ticket for kind in kinds) or urgency.is_red,
        intent=Intent.REPORT
        if needs and reading.intent in (Intent.OTHER, Intent.THANKS, Intent.HELP)
        else reading.intent,
        evidence=(*reading.evidence, *mark),
        like=opinion.like,
    )
