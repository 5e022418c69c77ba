"""People's names as they are compared: without case, accents and needless spaces."""

import unicodedata


def folded(text: str) -> str:
    """`jose nunez` for "José  Núñez"."""
    plain = unicodedata.normalize("NFKD", text)
    return " ".join("".join(mark for mark in plain if not unicodedata.combining(mark)).casefold().split())


def keys(given: str, family: str) -> tuple[str, str]:
    """What a patient is found by: the whole name, and the family name alone."""
    return folded(f"{given} {family}"), folded(family)


def wanted(text: str) -> tuple[str, ...]:
    """The whole names that somebody may mean: as it stands, and `Family, Given` turned round."""
    first, comma, rest = text.partition(",")
    if comma:
        return (folded(f"{rest} {first}"),)
    parts = folded(text).split()
    turned = (f"{' '.join(parts[1:])} {parts[0]}", f"{parts[-1]} {' '.join(parts[:-1])}") if len(parts) > 1 else ()
    return tuple(dict.fromkeys((" ".join(parts), *turned)))
