"""Twilio's rules for TwiML on calls, held against every document that the product says in any test."""

import re
from urllib.parse import urlsplit
from xml.etree import ElementTree

LARGEST = 64 * 1024
LONGEST_SAY = 3_000  # letters, with a Polly voice
SPEECH_MARKS = {"break", "emphasis", "lang", "p", "phoneme", "prosody", "s", "say-as", "sub", "w"}
INSIDE = {
    "Response": {"Say", "Play", "Pause", "Gather", "Record", "Dial", "Redirect", "Hangup", "Reject"},
    "Gather": {"Say", "Play", "Pause"},
    "Dial": {"Number", "Client", "Conference", "Queue", "Sip"},
    "Say": SPEECH_MARKS,
    **dict.fromkeys(SPEECH_MARKS, SPEECH_MARKS),
}
KNOWN = {
    "Say": {"voice", "language", "loop"},
    "prosody": {"rate", "pitch", "volume"},
    "Gather": {
        *("action", "method", "input", "timeout", "speechTimeout", "numDigits", "finishOnKey", "hints", "language"),
        *("actionOnEmptyResult", "bargeIn", "speechModel", "enhanced", "profanityFilter", "partialResultCallback"),
    },
    "Record": {
        *("action", "method", "timeout", "finishOnKey", "maxLength", "playBeep", "trim", "transcribe"),
        *("transcribeCallback", "recordingStatusCallback", "recordingStatusCallbackMethod"),
        "recordingStatusCallbackEvent",
    },
    "Dial": {
        *("action", "method", "timeout", "callerId", "answerOnBridge", "sequential", "timeLimit", "record"),
        *("hangupOnStar", "ringTone"),
    },
    "Number": {"url", "method", "statusCallback", "statusCallbackEvent", "sendDigits"},
    "Pause": {"length"},
    "Hangup": set(),
    "Reject": {"reason"},
    "Redirect": {"method"},
    "Response": set(),
}
ADDRESSES = {
    *("action", "url", "statusCallback", "recordingStatusCallback", "transcribeCallback", "partialResultCallback"),
}
LAST = {"Hangup", "Reject", "Redirect"}  # nothing after these is ever reached
E164 = re.compile(r"\+[1-9]\d{6,14}")


def breaches(body: str, *, whispers: bool = False) -> list[str]:
    """Every rule that a document breaks. `whispers`: it is heard by somebody who was dialled, before being joined."""
    if len(body.encode()) > LARGEST:
        return ["larger than 64 kB"]
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        return [f"no XML: {error}"]
    if root.tag != "Response":
        return [f"the root is {root.tag}"]
    found = list(_of(root))
    verbs = [verb.tag for verb in root]
    if any(verb in LAST for verb in verbs[:-1]):
        found.append(f"unreachable verbs: {verbs}")
    if whispers and "Dial" in verbs:
        found.append("a whisper must not dial")
    return found


def _of(element: ElementTree.Element):
    for name, value in element.attrib.items():
        if name not in KNOWN.get(element.tag, set()):
            yield f"{element.tag} knows no {name}"
        if name in ADDRESSES and not _is_absolute(value):
            yield f"{element.tag} {name} is not absolute: {value}"
    for child in element:
        if child.tag not in INSIDE.get(element.tag, set()):
            yield f"{element.tag} must not hold {child.tag}"
        yield from _of(child)
    yield from _particular(element)


def _particular(element: ElementTree.Element):
    said = "".join(element.itertext()).strip()
    if element.tag == "Say":
        if not said:
            yield "nothing is said"
        if len(said) > LONGEST_SAY:
            yield f"{len(said)} letters in one Say"
        if not element.get("voice", "").startswith("Polly.") or not element.get("language"):
            yield "Say names no Polly voice and language"
        if re.search(r"\{\w+\}", said):
            yield f"a placeholder is said: {said}"
    if element.tag == "Gather":
        hints = [hint.strip() for hint in element.get("hints", "").split(",") if hint.strip()]
        if len(hints) > 500 or any(len(hint) > 100 for hint in hints):
            yield "hints: at most 500 of 100 letters"
        if not set(element.get("input", "dtmf").split()) <= {"dtmf", "speech"}:
            yield f"input: {element.get('input')}"
        if not 1 <= int(element.get("timeout", "5")) <= 600:
            yield f"timeout: {element.get('timeout')}"
    if element.tag == "Dial":
        if not E164.fullmatch(element.get("callerId", "")):
            yield f"callerId: {element.get('callerId')}"
        if not 5 <= int(element.get("timeout", "30")) <= 600:
            yield f"Dial timeout: {element.get('timeout')}"
        if not element.get("action"):
            yield "Dial without an action falls through"
        if len(element) > 10:
            yield "more than ten numbers at once"
    if element.tag == "Number" and not E164.fullmatch(said):
        yield f"Number: {said}"
    if element.tag == "Record" and not 1 <= int(element.get("maxLength", "3600")) <= 3600:
        yield f"maxLength: {element.get('maxLength')}"
    if element.tag == "Record" and element.get("transcribe") == "true" and int(element.get("maxLength", "120")) >= 120:
        yield "what is transcribed must be shorter than 120 seconds"


def _is_absolute(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "_" not in parts.netloc and len(url) <= 4000
