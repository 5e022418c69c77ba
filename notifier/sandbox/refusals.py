"""How Twilio's REST API says no."""

from notifier.errors import NotifierError

WORDS = {
    20001: "Parameter '{what}' is not valid",
    20003: "Authenticate",
    20404: "The requested resource {what} was not found",
    20409: "The resource is in a state in which this cannot be done",
    20429: "Too Many Requests",
    20500: "An internal server error has occurred",
    21201: "No 'To' number is specified",
    21205: "Url is not a valid URL: {what}",
    21210: "The source phone number provided, {what}, is not yet verified for your account.",
    21211: "Invalid 'To' Phone Number: {what}",
    21212: "Invalid From Number (caller ID): {what}",
    21213: "No 'From' number is specified",
    21214: "The phone number you have tried to call, {what}, cannot be reached.",
    21215: "Account not authorized to call {what}. Perhaps you need to enable some international permissions.",
    21216: "Account not allowed to call {what}",
    21217: "Phone number does not appear to be valid: {what}",
    21218: "Invalid ApplicationSid",
    21220: "Unable to update record. Call is not in-progress. Cannot redirect.",
    21408: "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {what}.",
    21602: "Message body is required.",
    21603: "A 'From' phone number is required.",
    21604: "A 'To' phone number is required.",
    21606: "The 'From' phone number {what} is not a valid, SMS-capable phone number for your account.",
    21609: "The 'StatusCallback' URL {what} is not a valid URL.",
    21610: "Attempt to send to unsubscribed recipient",
    21611: "The 'From' number {what} has exceeded the maximum number of queued messages",
    21612: "The 'To' phone number {what} is not currently reachable using the 'From' phone number via SMS",
    21614: "'To' number is not a valid mobile number: {what}",
    21617: "The concatenated message body exceeds the 1600 character limit",
    21620: "Invalid media URL(s)",
    21703: "The Messaging Service does not have a phone number available to send a message",
    21701: "The Messaging Service {what} does not exist",
    30037: "The message cannot be canceled",
    35111: "SendAt is required for a scheduled message",
    35114: "SendAt is not a valid ISO 8601 time: {what}",
    35117: "SendAt must be more than 300 seconds and at most 35 days ahead",
    35118: "MessagingServiceSid is required to schedule a message",
}


class Refusal(NotifierError):
    """Twilio says no, with its code and the HTTP status that goes with it."""

    def __init__(self, code: int, what: str = "", status: int = 400) -> None:
        super().__init__(WORDS.get(code, "This is refused").format(what=what))
        self.code, self.status = code, status

    def as_json(self) -> dict[str, object]:
        """The body that Twilio answers with."""
        return {
            "code": self.code,
            "message": str(self),
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
