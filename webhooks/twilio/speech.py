"""What we say on the phone, as TwiML: slowly, one sentence at a time, keys first and speech second."""

from collections.abc import Mapping
from uuid import UUID

from twilio.twiml.voice_response import Dial, Gather, Number, Record, Say, VoiceResponse

from notifier.core import wording
from notifier.core.phone import Step, Turn, Voice
from notifier.core.vocabulary import Channel
from notifier.models import PhoneCall, Site
from notifier.runtime import current

LONGEST = 2_900  # letters that one <Say> may hold with a Polly voice, with some to spare
HINTS = {
    "en": ("yes", "no", "nurse", "delivery", "missing", "damaged", "late", "fever", "pain", "pump", "leaking", "help"),
    "es": ("sí", "no", "enfermera", "entrega", "falta", "roto", "tarde", "fiebre", "dolor", "bomba", "gotea", "ayuda"),
}
LISTENS = {Step.IDENTITY, Step.WORDS, Step.MENU, Step.MORE, Step.CONFIRM}
RECORD_SECONDS = 110  # what is transcribed must be shorter than two minutes
ANY_KEY = "1234567890*#"
STAFF = "en"  # staff are spoken to in English
Counts = Mapping[str, int]


def url_of(call_id: UUID, step: str, **counts: int) -> str:
    """The address of a step of a call, absolute, with how often it was asked in vain."""
    query = "&".join(f"{name}={count}" for name, count in counts.items() if count)
    return f"{current().settings.public_base_url}/twilio/voice/calls/{call_id}/{step}" + (f"?{query}" if query else "")


def words_of(site: Site, language: str, template: str, **values: str) -> str:
    """The words of a voice template."""
    known = {"brand": site.brand, "phone": site.phone, **values}
    return current().catalog.render(template, language, Channel.VOICE, known)


def speak(where: VoiceResponse | Gather, words: str, language: str) -> None:
    """Say these words in the voice of a language, at the pace that older ears can follow."""
    voice = _voice(language)
    for part in _parts(words):
        say = Say(voice=voice.voice, language=voice.code)
        say.prosody(part, rate=voice.pace)
        where.append(say)


def _voice(language: str) -> Voice:
    voices = current().catalog.calls.voices
    return voices[wording.best_language(voices, language)]


def _parts(words: str) -> list[str]:
    """The words in pieces that one <Say> can hold."""
    words = " ".join(words.split())
    return [words[at : at + LONGEST] for at in range(0, len(words), LONGEST)]


def ask(
    call: PhoneCall, step: Step, language: str, *sentences: str, turn: Turn | None = None, tries: int = 0
) -> VoiceResponse:
    """Say it and wait for one key, or for words; that nothing came is told to us too."""
    counts = {"s": turn.silences, "w": turn.wrong, "r": turn.repeats} if turn else {}
    listens = step in LISTENS
    spoken = {
        "input": "dtmf speech",
        "speech_timeout": "auto",
        "language": _voice(language).code,
        "hints": ", ".join(HINTS[wording.best_language(HINTS, language)]),
    }
    gather = Gather(
        num_digits=1,
        timeout=current().catalog.calls.key_seconds,
        action=url_of(call.id, step, **counts, t=tries),
        method="POST",
        action_on_empty_result=True,
        **(spoken if listens else {"input": "dtmf"}),
    )
    for words in sentences:
        speak(gather, words, language)
    response = VoiceResponse()
    response.append(gather)
    return response


def end(words: str, language: str) -> VoiceResponse:
    """The last words, and the end of the call."""
    response = VoiceResponse()
    speak(response, words, language)
    response.hangup()
    return response


def dial(
    call: PhoneCall, number: str, *, action: str, first: str, ring_seconds: int, words: str, language: str
) -> VoiceResponse:
    """Say it, then ring a number for whoever is on the line; who takes it hears `first`, then they are joined."""
    response = VoiceResponse()
    speak(response, words, language)
    ringing = Dial(answer_on_bridge=True, timeout=ring_seconds, caller_id=call.ours, action=action, method="POST")
    ringing.append(Number(number, url=first, method="POST"))
    response.append(ringing)
    return response


def comes_in_words(language: str) -> bool:
    """Whether Twilio writes down what is said in this language: it does in American English alone."""
    return _voice(language).code == "en-US"


def leave_a_message(call: PhoneCall, *sentences: str, goodbye: str) -> VoiceResponse:
    """Say it, then record what is said after the tone; in English it comes back in words as well."""
    response = VoiceResponse()
    for words in sentences:
        speak(response, words, call.language)
    wanted = comes_in_words(call.language)
    transcribed = {"transcribe": True, "transcribe_callback": url_of(call.id, "transcribed")} if wanted else {}
    response.append(
        Record(
            action=url_of(call.id, "recorded"),
            method="POST",
            max_length=RECORD_SECONDS,
            timeout=current().catalog.calls.key_seconds,
            finish_on_key=ANY_KEY,
            play_beep=True,
            recording_status_callback=url_of(call.id, "recording"),
            **transcribed,
        )
    )
    speak(response, goodbye, call.language)
    response.hangup()
    return response
