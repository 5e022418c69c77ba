"""The sandbox's own requests to the service: signed, limited in time, retried and misdelivered as Twilio does."""

import base64
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit
from uuid import uuid4

import urllib3
from twilio.request_validator import RequestValidator

from notifier.sandbox.agenda import Agenda, Awaits

Params = Mapping[str, str]
REDIRECTS_ONLY = urllib3.Retry(total=None, connect=0, read=0, status=0, other=0, redirect=10)


@dataclass(frozen=True)
class Receipts:
    """How status callbacks travel. `delay`: seconds until delivered; `late`: seconds by which they lag behind.

    `duplicated`, `lost` and `shuffled` are shares from 0 to 1; True is always.
    """

    delay: float = 0.5
    late: float = 0.0
    duplicated: float = 0.0
    lost: float = 0.0
    shuffled: float = 0.0


@dataclass(frozen=True)
class Overrides:
    """How patient to be with a webhook, in seconds: `#ct=..&rt=..&tt=..&rc=..&rp=..` of its URL, or the defaults."""

    connect: float = 5.0
    read: float = 15.0
    total: float = 15.0
    retries: int = 1
    policy: frozenset[str] = frozenset({"ct"})

    @classmethod
    def of(cls, url: str) -> "Overrides":
        """What the fragment asks for, each within Twilio's limits."""
        asked = {name: values[-1] for name, values in parse_qs(urlsplit(url).fragment).items()}

        def seconds(name: str, most: float) -> float:
            value = asked.get(name, "")
            return min(max(int(value) / 1000, 0.1), most) if value.isdigit() else {"ct": 5.0}.get(name, 15.0)

        retries = asked.get("rc", "")
        policy = frozenset(asked["rp"].split(",")) if asked.get("rp") else cls.policy
        return cls(
            connect=seconds("ct", 10.0),
            read=seconds("rt", 15.0),
            total=seconds("tt", 15.0),
            retries=min(int(retries), 5) if retries.isdigit() else cls.retries,
            policy=policy,
        )

    def retries_on(self, answer: "Answer") -> bool:
        """Whether the policy asks for another try after this answer."""
        wanted = {"4xx", "5xx", "ct", "rt"} if "all" in self.policy else self.policy
        return answer.trouble in wanted


@dataclass(frozen=True)
class Answer:
    """What the service answered. `trouble`: "" or ct (no connection), rt (too slow), broken, 4xx, 5xx."""

    status: int = 0
    body: str = ""
    content_type: str = ""
    trouble: str = ""

    @property
    def error_code(self) -> int:
        """Twilio's debugger code for this trouble: 11200 or 11205."""
        return 11205 if self.trouble in ("ct", "rt") else 11200


@dataclass(frozen=True)
class Alert:
    """A line of Twilio's debugger: a webhook that went wrong, for which message or call, and why."""

    code: int
    url: str
    sid: str


def signed_url(url: str, *, voice: bool) -> str:
    """The URL as Twilio signs it: no user, no fragment, and for voice over HTTPS no port."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if voice and parts.scheme == "https":
        host = re.sub(r":\d+$", "", host)
    return urlunsplit((parts.scheme, host, parts.path, parts.query, ""))


class Post:
    """Sends the account's webhooks, signed with its auth token; `alerts` is what went wrong."""

    def __init__(self, auth_token: str, agenda: Agenda, dice: random.Random) -> None:
        self.receipts = Receipts()
        self.alerts: list[Alert] = []
        self._signer = RequestValidator(auth_token)
        self._agenda = agenda
        self._dice = dice
        self._held: dict[str, Callable[[], None]] = {}
        self._pool = urllib3.PoolManager(num_pools=16, maxsize=8, block=False, retries=False)

    def close(self) -> None:
        """Closes every connection."""
        self._pool.clear()

    def ask(
        self, url: str, method: str, params: Params, *, sid: str, voice: bool = False, quiet: bool = False
    ) -> Answer:
        """One webhook with its retries; never raises. What went wrong is an alert about `sid`, unless `quiet`."""
        overrides = Overrides.of(url)
        token = str(uuid4())
        deadline = time.monotonic() + overrides.total
        answer = self._once(url, method, params, overrides, token, voice)
        for _ in range(overrides.retries):
            left = deadline - time.monotonic()
            if left <= 0 or not overrides.retries_on(answer):
                break
            answer = self._once(url, method, params, replace(overrides, total=left), token, voice)
        if answer.trouble and not quiet:
            self.alert(answer.error_code, url, sid)
        return answer

    def alert(self, code: int, url: str, sid: str) -> None:
        """Writes a line into the debugger."""
        self.alerts.append(Alert(code, signed_url(url, voice=False), sid))

    def receipt(self, url: str, method: str, params: Params, *, sid: str, final: bool, voice: bool = False) -> None:
        """A status callback, posted soon and in order, unless `receipts` has it lost, late, doubled or out of order."""
        if not url or self._chance(self.receipts.lost):
            return
        copies = 2 if self._chance(self.receipts.duplicated) else 1
        if self._dice.random() < 0.1:
            params = {**params, "ChannelInstallSid": f"XE{self._dice.getrandbits(128):032x}"}  # they add what they like

        def put_in_the_box() -> None:
            for _ in range(copies):
                self._agenda.later(
                    self.receipts.late,
                    lambda: self._post_receipt(url, method, params, sid, voice),
                    lane=f"receipt {sid}",
                    awaits=Awaits.LATENESS if self.receipts.late else Awaits.NOTHING,
                )

        held = self._held.pop(sid, None)
        if not held and not final and self._chance(self.receipts.shuffled):
            self._held[sid] = put_in_the_box
            return
        put_in_the_box()
        if held:
            held()

    def _post_receipt(self, url: str, method: str, params: Params, sid: str, voice: bool) -> None:
        self.ask(url, method, params, sid=sid, voice=voice)

    def _chance(self, share: float) -> bool:
        return share > 0 and self._dice.random() < share

    def _once(self, url: str, method: str, params: Params, patience: Overrides, token: str, voice: bool) -> Answer:
        parts = urlsplit(url)
        user, _, _ = parts.netloc.rpartition("@")
        headers = {"User-Agent": "TwilioProxy/1.1", "I-Twilio-Idempotency-Token": token, "X-Home-Region": "us1"}
        if user:
            headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
        body = None
        if method == "GET":
            query = "&".join(filter(None, [parts.query, urlencode(params)]))
            url = urlunsplit(parts._replace(query=query))
            params = {}
        else:
            body = urlencode(params)
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
        headers["X-Twilio-Signature"] = self._signer.compute_signature(signed_url(url, voice=voice), dict(params))
        target = urlunsplit(urlsplit(url)._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
        limit = urllib3.Timeout(connect=patience.connect, read=patience.read, total=patience.total)
        try:
            reply = self._pool.request(
                method, target, body=body, headers=headers, timeout=limit, retries=REDIRECTS_ONLY
            )
        except urllib3.exceptions.MaxRetryError as error:
            return Answer(trouble=_trouble(error.reason))
        except urllib3.exceptions.HTTPError as error:
            return Answer(trouble=_trouble(error))
        answer = Answer(reply.status, reply.data.decode("utf-8", "replace"), reply.headers.get("Content-Type", ""))
        return replace(answer, trouble=f"{reply.status // 100}xx") if reply.status >= 400 else answer


def _trouble(error: Exception | None) -> str:
    if isinstance(error, (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.NewConnectionError)):
        return "ct"
    return "rt" if isinstance(error, urllib3.exceptions.ReadTimeoutError) else "broken"
