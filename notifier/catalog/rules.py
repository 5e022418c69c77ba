"""Loads what triage knows from the files of the catalog: rows, words, signs, spelling. Checked whole, at start."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from notifier.catalog.learning import load_learned
from notifier.core.triage import Row, Rules
from notifier.core.triage.lexicon import Lexicon, choices
from notifier.core.triage.rules import Compound, Spelling
from notifier.core.triage.words import phrase
from notifier.core.vocabulary import Flag, Role, Urgency
from notifier.errors import Misconfigured

FILES = ("triage.toml", "lexicon.en.toml", "lexicon.es.toml", "signs.toml", "spelling.toml", "learned.toml")
_OPEN = "[\"“«'„]"


def load_rules(folders: Sequence[Path], *, learned: bool = True) -> Rules:
    """The rules of the first folder with those of each next one laid over it: texts replaced, lists of words added to.

    Not `learned`: the rules alone, whatever state the model is in. Raises Misconfigured when a file names a code, an
    urgency, a role or a class of words that does not exist.
    """
    try:
        return _rules(tables(folders), learned)
    except (KeyError, TypeError, ValueError) as error:
        raise Misconfigured(f"the triage rules are wrong: {error}") from error


def tables(folders: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """The files of the rules as they stand when each folder is laid over the ones before. Raises Misconfigured."""
    data: dict[str, dict[str, Any]] = {name: {} for name in FILES}
    for folder in folders:
        for name in FILES:
            path = folder / name
            if path.is_file():
                try:
                    data[name] = _over(data[name], tomllib.loads(path.read_text(encoding="utf-8")))
                except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                    raise Misconfigured(f"{path} is not TOML: {error}") from error
    return data


def _over(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        have = merged.get(key)
        if isinstance(have, dict) and isinstance(value, dict):
            merged[key] = _over(have, value)
        elif isinstance(have, list) and isinstance(value, list):
            merged[key] = [*have, *(each for each in value if each not in have)]
        else:
            merged[key] = value
    return merged


def _rules(data: Mapping[str, Mapping[str, Any]], learned: bool) -> Rules:
    table, signs, spelled = data["triage.toml"], data["signs.toml"], data["spelling.toml"]
    spelling = Spelling(
        mend={wrong: right for right, wrongs in spelled["mend"].items() for wrong in wrongs},
        long=frozenset(spelled["long"]),
        real=frozenset(spelled["real"]),
    )
    rows = {code: _row(code, row) for code, row in table.items() if isinstance(row, dict)}
    lexicon = Lexicon()
    fillers: set[str] = set()
    reactions: dict[str, list[str]] = {"plain": [], "doubtful": []}
    for name in ("lexicon.en.toml", "lexicon.es.toml"):
        language = data[name]
        fillers.update(language["fillers"])
        for kind, starts in language["reactions"].items():
            reactions[kind].extend(starts)
        for section in ("words", "context"):
            for group, phrases in language[section].items():
                lexicon.add(group, phrases, spelling.known)
    lexicon.fillers = frozenset(fillers)
    for code, row in table.items():
        if isinstance(row, dict):
            for words in row.get("words", {}).values():
                for each in words:
                    for one in choices(each):
                        lexicon.sign(code, one, spell=spelling.known)
    for code, entry in signs.items():
        if code == "compound":
            continue
        if code not in rows:
            raise ValueError(f"signs.toml has {code}, triage.toml has not")
        for key, urgency in (("signs", None), ("urgent", Urgency.URGENT), ("emergency", Urgency.EMERGENCY)):
            for text in entry.get(key, ()):
                lexicon.sign(code, text, urgency, spelling.known)
    return Rules(
        rows=rows,
        lexicon=lexicon,
        spelling=spelling,
        reactions=_reactions(reactions),
        whole={
            phrase(each, spelling.known): code
            for code, row in table.items()
            if isinstance(row, dict)
            for replies in row.get("whole", {}).values()
            for each in replies
            if phrase(each, spelling.known)  # a reply without a word, such as "?", would stand for every courtesy
        },
        instead_of={
            code: _codes(entry.get("instead_of", ()), rows) for code, entry in signs.items() if code != "compound"
        },
        parts_kept=frozenset(code for code, entry in signs.items() if code != "compound" and entry.get("keeps_parts")),
        compounds=tuple(
            Compound(
                each["kind"],
                _codes(each["one"], rows),
                _codes(each["other"], rows),
                Urgency(each["urgency"]) if "urgency" in each else None,
            )
            for each in signs.get("compound", ())
        ),
        version=str(table["version"]),
        owner=table["owner"],
        approved=str(table["approved"]),
        learned=load_learned(data["learned.toml"]) if learned else None,
    )


def _codes(codes: Sequence[str], rows: Mapping[str, Row]) -> frozenset[str]:
    unknown = [code for code in codes if code not in rows]
    if unknown:
        raise ValueError(f"signs.toml names {', '.join(unknown)}, triage.toml does not")
    return frozenset(codes)


def _row(code: str, row: Mapping[str, Any]) -> Row:
    try:
        return Row(
            code=code,
            what=row["what"],
            group=row["group"],
            urgency=Urgency(row["urgency"]),
            role=Role(row["role"]) if "role" in row else None,
            minutes=row.get("minutes"),
            promise=row.get("promise"),
            target=row.get("target", ""),
            reply=dict(row.get("reply", {})),
            raised={Flag(flag): Urgency(urgency) for flag, urgency in row.get("raised", {}).items()},
            needs_signoff=row.get("first_aid", False),
            ticket=row.get("ticket", True),
            traps=tuple(row.get("traps", ())),
        )
    except (KeyError, ValueError) as error:
        raise ValueError(f"{code} in triage.toml: {error}") from error


def _reactions(starts: Mapping[str, Sequence[str]]) -> re.Pattern[str]:
    doubt = "|".join(re.escape(start) for start in starts["doubtful"])
    plain = "|".join(re.escape(start).replace(r"\*", ".{1,24}?") for start in starts["plain"])
    quoted = f"{_OPEN}.*[\"”»'“]|(?:an? )?(?:image|photo|video|attachment|una (?:imagen|foto))"
    return re.compile(rf"\s*(?:(?P<doubt>{doubt})|{plain})\s*(?:{quoted})", re.IGNORECASE | re.DOTALL)
