"""The numbers that the account owns, and where what arrives on them is sent."""

from notifier import clock
from notifier.sandbox import numbering
from notifier.sandbox.book import Book
from notifier.sandbox.records import Number, new_sid
from notifier.sandbox.refusals import Refusal

SETTINGS = {
    "FriendlyName": "friendly_name",
    "SmsUrl": "sms_url",
    "SmsMethod": "sms_method",
    "SmsFallbackUrl": "sms_fallback_url",
    "SmsFallbackMethod": "sms_fallback_method",
    "VoiceUrl": "voice_url",
    "VoiceMethod": "voice_method",
    "VoiceFallbackUrl": "voice_fallback_url",
    "VoiceFallbackMethod": "voice_fallback_method",
    "StatusCallback": "status_callback",
    "StatusCallbackMethod": "status_callback_method",
}


class Numbers:
    """Owns every number that it hears of; what a number does not say itself goes to `public_base_url`."""

    def __init__(self, book: Book, public_base_url: str) -> None:
        self.book, self.public_base_url = book, public_base_url

    def own(self, number: str) -> Number:
        """The number, bought on the spot if it is not ours yet; Refusal if no such number can exist."""
        known = numbering.e164(number)
        if known is None:
            raise Refusal(21212, number)
        now = clock.now()
        return self.book.numbers.add(Number(new_sid("PN"), known, now, now, friendly_name=numbering.national(known)))

    def by_sid(self, sid: str) -> Number:
        """The number with this SID; Refusal if none has it."""
        for number in self.book.numbers.all():
            if number.sid == sid:
                return number
        raise Refusal(20404, f"/IncomingPhoneNumbers/{sid}.json", 404)

    def of_service(self, wanted: str) -> str:
        """The sender that a Messaging Service would pick: the one asked for, else the first we own."""
        if wanted:
            return self.own(wanted).number
        owned = self.book.numbers.all()
        if not owned:
            raise Refusal(21703)
        return owned[0].number

    def sms_webhook(self, number: Number) -> tuple[str, str]:
        """Where a text to this number is posted, and how; an empty URL if nowhere."""
        return number.sms_url or self._default("/twilio/sms"), number.sms_method

    def voice_webhook(self, number: Number) -> tuple[str, str]:
        """Where a call to this number is announced, and how; an empty URL if nowhere."""
        return number.voice_url or self._default("/twilio/voice"), number.voice_method

    def _default(self, path: str) -> str:
        return self.public_base_url.rstrip("/") + path if self.public_base_url else ""
