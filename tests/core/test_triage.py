"""What people on home infusion write, and what it means: each line a reply that somebody could send."""

from dataclasses import replace

import pytest

from notifier.catalog import load
from notifier.core.triage import Reading, Rules, read, to_json
from notifier.core.vocabulary import Flag, Intent, Prompt, Role, Urgency


@pytest.fixture(scope="module")
def rules() -> Rules:
    return replace(load().rules, learned=None)


# ---- red flags, in the words of people who describe and do not name

EMERGENCIES = [
    ("I cannot breathe", "BREATHING"),
    ("help i can't breathe", "BREATHING"),
    ("cnt breathe pls", "BREATHING"),
    ("SOB", "BREATHING"),
    ("no puedo respirar", "BREATHING"),
    ("me falta el aire", "BREATHING"),
    ("siento que no me llega el aire a los pulmones", "BREATHING"),
    ("i have to stop every few words to get air", "BREATHING"),
    ("oxygen is 86", "BREATHING"),
    ("is it normal to have trouble breathing?", "BREATHING"),
    ("feels like someone is standing on my chest", "CHEST_PAIN"),
    ("me aprieta el pecho desde hace una hora", "CHEST_PAIN"),
    ("my tongue feels thick and my lips are tingling after the dose", "ANAPHYLAXIS"),
    ("se le esta hinchando la cara y los labios", "ANAPHYLAXIS"),
    ("he passed out for a sec ok now", "COLLAPSE"),
    ("el piso se me movia y ya no supe mas", "COLLAPSE"),
    ("one side of her face is hanging and she talks like shes drunk", "STROKE_SIGNS"),
    ("dad cant lift his left arm all of a sudden", "STROKE_SIGNS"),
    ("no sabe donde esta y dice puras incoherencias", "CONFUSION"),
    ("his whole body was jerking and eyes rolled back", "SEIZURE"),
    ("bleeding won't stop", "BLEEDING_HEAVY"),
    ("la sangre no para, ya empape dos toallas", "BLEEDING_HEAVY"),
    ("103 and shes not making any sense", "SEPSIS_SIGNS"),
    ("hives all over and he cant breathe right", "ANAPHYLAXIS"),
    ("ya no quiero vivir", "SUICIDE_RISK"),
    ("i just want to end it all", "SUICIDE_RISK"),
    ("should i call 911", "EMERGENCY_UNSPEC"),
    ("my dad is missing he wandered off", "EMERGENCY_UNSPEC"),
    ("pump died backup wont start", "INOTROPE_STOPPED"),
    ("tripped over the tubing and cracked my head on the dresser", "FALL"),
]


@pytest.mark.parametrize(("text", "kind"), EMERGENCIES)
def test_an_emergency_is_heard(text: str, kind: str, rules: Rules) -> None:
    reading = read(text, rules)
    assert kind in reading.kinds
    assert reading.urgency is Urgency.EMERGENCY
    assert reading.ticket
    assert reading.role is Role.NURSE


URGENT = [
    ("FEVER", {"FEVER"}),
    ("fver", {"FEVER"}),
    ("feeever", {"FEVER"}),
    ("tengo quebranto", {"FEVER"}),
    ("no le baja la fiebre", {"FEVER"}),
    ("Fever 101.4 and shaking", {"FEVER", "CHILLS"}),
    ("mom's temp is 102 and shaking", {"FEVER", "CHILLS"}),
    ("f*** you people i have 103", {"FEVER", "COMPLAINT"}),
    ("thanks but still have fever", {"FEVER"}),
    ("no fever but my arm is swollen", {"ARM_SWELLING"}),
    ("no fever just chills", {"CHILLS"}),
    ("her sleeve is tight on that side since last night", {"ARM_SWELLING"}),
    ("theres a red line creeping up from where the picc goes in", {"SITE_CHANGE"}),
    ("yellow goo around the tube and it stinks", {"SITE_DRAINAGE"}),
    ("the dog caught the tubing and the whole picc slid right out", {"LINE_OUT"}),
    ("theres a tiny crack in the line near the clamp", {"LINE_BROKEN"}),
    ("la camisa amanecio mojada y el tubo gotea", {"LINE_LEAK"}),
    ("the plunger wont budge when i try to flush", {"NO_FLUSH"}),
    ("this thing wont quit chirping what do i do", {"PUMP_ALARM"}),
    ("no para de sonar la bomba", {"PUMP_ALARM"}),
    ("how do i stop the pump alarm", {"PUMP_ALARM"}),
    ("screen went dark and it wont come back on", {"PUMP_DEAD"}),
    ("alta presion dice la bomba", {"PUMP_OCCLUSION"}),
    ("ball is empty already", {"OVERDOSE_FAST"}),
    ("chemo leaking on the couch", {"CHEMO_SPILL"}),
    ("i think i gave him two bags by accident", {"DOUBLE_DOSE"}),
    ("there are white specks floating in the bag", {"MED_LOOKS_WRONG"}),
    ("se fue la luz", {"POWER_OUT"}),
    ("says delivered not here", {"DELIVERY_LOST"}),
    ("my wife does my infusions and she is in bed with the flu", {"CAREGIVER_OUT"}),
    ("cant even keep water down", {"NAUSEA_VOMITING"}),
]


@pytest.mark.parametrize(("text", "kinds"), URGENT)
def test_what_a_nurse_must_hear_now(text: str, kinds: set[str], rules: Rules) -> None:
    reading = read(text, rules)
    assert set(reading.kinds) == kinds
    assert reading.urgency is Urgency.URGENT


# ---- numbers

TEMPERATURES = [
    ("100.3", "TEMP_LOW_GRADE", 37.94),
    ("100.4", "FEVER", 38.0),
    ("101,4", "FEVER", 38.56),
    ("temp102", "FEVER", 38.89),
    ("T 102.", "FEVER", 38.89),
    ("102°", "FEVER", 38.89),
    ("38.6C", "FEVER", 38.6),
    ("38,6", "FEVER", 38.6),
    ("39.2 grados", "FEVER", 39.2),
    ("38 y medio", "FEVER", 38.5),
    ("my temp is a hundred and one point four", "FEVER", 38.56),
    ("ciento uno punto cuatro", "FEVER", 38.56),
    ("treinta y nueve de fiebre", "FEVER", 39.0),
    ("one oh two", "FEVER", 38.89),
    ("1014", "FEVER", 38.56),
    ("is 101.9 a fever?", "FEVER", 38.83),
    ("is 99.9 a fever?", "TEMP_LOW_GRADE", 37.72),
    ("temp 95.2", "TEMP_LOW", 35.11),
    ("98.6 feeling good", "OK_FINE", 37.0),
    ("36.8", "OK_FINE", 36.8),
]


@pytest.mark.parametrize(("text", "kind", "value"), TEMPERATURES)
def test_a_temperature_is_read_however_it_is_written(text: str, kind: str, value: float, rules: Rules) -> None:
    reading = read(text, rules)
    assert reading.kinds == (kind,)
    assert reading.temperature_c == pytest.approx(value, abs=0.01)


@pytest.mark.parametrize(
    "text",
    [
        *("bp is 101/60", "copay was $101.40", "room 102", "gate code 1014", "i weigh 101 lbs", "pump rate is 102 ml"),
        *("glucose 102", "apt 103", "new cell use 555 0199", "tengo 39 años", "bag 102", "102 syringes came"),
        *("its 95 in here", "delivery at 10:02", "my order number is 101.5"),
    ],
)
def test_a_number_that_is_no_temperature_is_no_fever(text: str, rules: Rules) -> None:
    reading = read(text, rules)
    assert not {"FEVER", "TEMP_LOW", "TEMP_LOW_GRADE"} & set(reading.kinds)
    assert reading.temperature_c is None


VITALS = [
    ("bp 84/50", "BP_ABNORMAL", Urgency.URGENT),
    ("presion 190/110", "BP_ABNORMAL", Urgency.URGENT),
    ("pressure is 80 over 40 bp", "BP_ABNORMAL", Urgency.URGENT),
    ("pulse is 138", "PALPITATIONS", Urgency.URGENT),
    ("heart is racing 140", "PALPITATIONS", Urgency.URGENT),
    ("sugar is 52", "LOW_SUGAR", Urgency.URGENT),
    ("azucar 280", "HIGH_SUGAR", Urgency.SAME_DAY),
    ("blood sugar 410", "HIGH_SUGAR", Urgency.URGENT),
]


@pytest.mark.parametrize(("text", "kind", "urgency"), VITALS)
def test_other_readings_have_their_own_limits(text: str, kind: str, urgency: Urgency, rules: Rules) -> None:
    reading = read(text, rules)
    assert kind in reading.kinds
    assert reading.urgency is urgency


# ---- context: what may lower a finding

CONTEXT = [
    ("no fever, no chills", ("OK_FINE",)),
    ("no fever, chills, or shortness of breath", ("OK_FINE",)),
    ("sin fiebre ni escalofrios gracias a dios", ("OK_FINE",)),
    ("breathing ok today", ("OK_FINE",)),
    ("not bad", ("OK_FINE",)),
    ("had fever last week", ("PAST_HISTORY",)),
    ("fever gone", ("PAST_HISTORY",)),
    ("ya se me quito la fiebre", ("PAST_HISTORY",)),
    ("had hives two weeks ago but they went away", ("PAST_HISTORY",)),
    ("last year i had sepsis", ("PAST_HISTORY",)),
    ("i was dizzy yesterday but fine now", ("PAST_HISTORY",)),
    ("ayer estaba mareada", ("PAST_HISTORY",)),
    ("what if I get a fever?", ("SIDE_EFFECT_Q",)),
    ("y si me da fiebre?", ("SIDE_EFFECT_Q",)),
    ("do I have to worry about fever", ("SIDE_EFFECT_Q",)),
    ("my 4yo has fever can we still do my infusion", ("EXPOSURE_SICK_HOME",)),
    ("lol my cat just threw up on the couch", ("OK_FINE",)),
    ("Reply FEVER if you have a fever. no i dont", ("OK_FINE",)),
    ("nothing missing thx", ("DELIVERY_RECEIVED",)),
    ("no falta nada", ("DELIVERY_RECEIVED",)),
    ("no flushes in the box", ("MISSING",)),
    ("ice chest arrived", ("DELIVERY_RECEIVED",)),
    ("cabin fever lol", ("UNKNOWN",)),
    ("me dieron de alta ayer", ("DISCHARGED",)),
]


@pytest.mark.parametrize(("text", "kinds"), CONTEXT)
def test_context_puts_words_where_they_belong(text: str, kinds: tuple[str, ...], rules: Rules) -> None:
    assert read(text, rules).kinds == kinds


NOW = [
    *("fever broke this am but its back 101", "fever gone then came back", "still have a fever", "fever?"),
    *("what if it goes higher i have a fever now", "had chills after my flush this morning"),
    *("he had chills since yesterday", "had fever yesterday and today", "had a rash last week that never went away"),
    *("had my picc put in last week and the site is red", "got the line last month site is red and hot"),
    *(
        "tuve escalofrios ayer y hoy tambien",
        "tiene fiebre desde ayer",
        "i was in the hospital last week my arm is swollen",
    ),
]


@pytest.mark.parametrize("text", NOW)
def test_what_is_back_or_still_there_is_now(text: str, rules: Rules) -> None:
    assert read(text, rules).urgency is Urgency.URGENT


def test_what_is_denied_is_told_apart(rules: Rules) -> None:
    assert read("no fever but my arm is swollen", rules).negated == ("FEVER",)


@pytest.mark.parametrize(
    "text", ["I haven't fainted but I started to see black spots", "lol my side feels funny since noon"]
)
def test_a_worry_that_nothing_explains_reaches_a_person(text: str, rules: Rules) -> None:
    assert read(text, rules).ticket


# ---- everyday matters

MATTERS = [
    ("MISSING", "MISSING", Role.DELIVERY),
    ("everything but the heparin", "MISSING", Role.DELIVERY),
    ("solo mandaron 5 jeringas", "MISSING", Role.DELIVERY),
    ("opened the cooler and theres no antibiotic just supplies", "MISSING_MED", Role.PHARMACIST),
    ("la caja llego caliente", "TEMP_WARM", Role.PHARMACIST),
    ("its 8 pm and still no box", "DELIVERY_LATE", Role.DELIVERY),
    ("CHANGE to fri", "DELIVERY_CHANGE", Role.DELIVERY),
    ("cancel my delivery", "DELIVERY_CANCEL", Role.COORDINATOR),
    ("no estoy segura como se conecta", "EDUCATION", Role.NURSE),
    ("cambie de seguro", "INSURANCE", Role.BILLING),
    ("why did you charge me 400 dollars", "BILLING", Role.BILLING),
    ("flying to Los Angeles Monday for 2 weeks", "TRAVEL", Role.COORDINATOR),
    ("admitted last night", "HOSPITALIZED", Role.NURSE),
    ("home now can i restart", "DISCHARGED", Role.COORDINATOR),
    ("she passed away this morning", "DECEASED", Role.COORDINATOR),
    ("Dr said stop the vanco", "ORDER_CHANGE", Role.PHARMACIST),
    ("ya no quiero el tratamiento", "STOP_THERAPY", Role.NURSE),
    ("jj 4 the thng", "UNKNOWN", Role.COORDINATOR),
    ("[MMS image]", "PHOTO", Role.NURSE),
    ("feel kinda weird", "NOT_WELL", Role.NURSE),
]


@pytest.mark.parametrize(("text", "kind", "role"), MATTERS)
def test_each_matter_goes_to_the_one_who_can_help(text: str, kind: str, role: Role, rules: Rules) -> None:
    reading = read(text, rules)
    assert reading.kinds[0] == kind
    assert reading.role is role
    assert reading.ticket


# ---- stopping

STOPS = [
    *(
        "STOP",
        "Stop!!",
        "stop.",
        "STOP PLEASE",
        "QUIT",
        "end",
        "CANCEL",
        "revoke",
        "opt out",
        "s t o p",
        "STOOOP",
        "🛑",
        "STOP STOP",
    ),
    *(
        "pls stop texting me",
        "please stop sending me these messages",
        "no more texts",
        "take me off your list",
        "remove me",
    ),
    *("leave me alone", "lose my number", "dont text me anymore", "how do i stop these texts", "unsubscribe me please"),
    *(
        "ALTO",
        "alto por favor",
        "CANCELAR",
        "basta",
        "no mas",
        "baja",
        "ya no me manden mensajes",
        "no mas mensajes por favor",
    ),
    *("ya no quiero recibir mensajes", "dejen de escribirme", "quiteme de la lista"),
]
GOES_ON = [
    *("stop the pump alarm", "Dr said stop the vanco", "cancel my delivery", "missing end caps", "pump quit working"),
    *("bleeding won't stop", "no para de sonar la bomba", "me dieron de alta ayer", "alta presion dice la bomba"),
    *(
        "this pump is killing me stop the beeping",
        "i just want to end it all",
        "cancel tues nurse",
        "when does it stop hurting",
    ),
    *(
        "caregiver quit",
        "im done with this medicine",
        "can i stop taking it",
        "ice bag at the end of the line",
        "cancele la entrega",
    ),
    *("they called to cancel the visit", "como paro la alarma", "no puedo parar de vomitar", "la fiebre no baja"),
]


@pytest.mark.parametrize("text", STOPS)
def test_whoever_wants_no_more_texts_is_understood(text: str, rules: Rules) -> None:
    reading = read(text, rules)
    assert reading.kinds == ("STOP",)
    assert reading.intent is Intent.OPT_OUT
    assert reading.urgency is Urgency.NONE


@pytest.mark.parametrize("text", GOES_ON)
def test_a_pump_a_drug_or_a_box_is_not_our_texts(text: str, rules: Rules) -> None:
    reading = read(text, rules)
    assert "STOP" not in reading.kinds
    assert reading.intent is not Intent.OPT_OUT


def test_stop_with_a_symptom_is_both(rules: Rules) -> None:
    assert read("STOP i have a fever", rules).kinds == ("FEVER", "STOP")
    assert set(read("please stop she passed away", rules).kinds) == {"DECEASED", "STOP"}


def test_start_and_help_are_known(rules: Rules) -> None:
    assert read("START", rules).intent is Intent.OPT_IN
    assert read("AYUDA", rules).kinds == ("HELP",)


# ---- reactions and our own words

REACTIONS = [
    'Liked "Pharmko: How are you after today? Reply OK or NOT OK, FEVER or STOP"',
    "Loved “Your box is there. Reply MISSING or DAMAGED.”",
    'Reacted 👍 to "Reply STOP to end"',
    'Le gustó "Responda ALTO para salir"',
    'Reaccionó con ❤️ a "Como se siente? FIEBRE"',
]


@pytest.mark.parametrize("text", REACTIONS)
def test_a_thumb_on_our_message_is_not_a_report(text: str, rules: Rules) -> None:
    reading = read(text, rules)
    assert reading.kinds == ("TAPBACK",)
    assert not reading.ticket


def test_what_follows_a_reaction_is_read(rules: Rules) -> None:
    assert read('Liked "Pharmko: How are you?" but i have chills', rules).kinds == ("CHILLS",)


def test_a_dislike_is_worth_a_look(rules: Rules) -> None:
    assert read('Disliked "Pharmko: Did everything come?"', rules).ticket


def test_our_own_words_sent_back_are_not_theirs(rules: Rules) -> None:
    ours = "Pharmko: Call us at once for fever or chills or if the line came out. Nurse 24/7: 800-555-0100."
    back = "call us at once for fever or chills or if the line came out ok will do"
    assert read(back, rules).urgency is Urgency.EMERGENCY or read(back, rules).urgency is Urgency.URGENT
    assert read(back, rules, last_outbound=ours).urgency is Urgency.NONE


# ---- the question that it answers

ANSWERS = [
    (Prompt.DELIVERY_CONFIRM, "YES", "DELIVERY_CONFIRM"),
    (Prompt.DELIVERY_CONFIRM, "no", "DELIVERY_CHANGE"),
    (Prompt.DELIVERED_CHECK, "ok", "DELIVERY_RECEIVED"),
    (Prompt.DELIVERED_CHECK, "no", "DELIVERY_LOST"),
    (Prompt.DELIVERED_CHECK, "not yet", "DELIVERY_LATE"),
    (Prompt.DELIVERED_CHECK, "no, missing the flushes", "MISSING"),
    (Prompt.FIRST_DOSE_READY, "listo", "OK_FINE"),
    (Prompt.FIRST_DOSE_READY, "no", "FIRST_DOSE_PROBLEM"),
    (Prompt.CHECK_IN, "no", "NOT_WELL"),
    (Prompt.CHECK_IN, "bien", "OK_FINE"),
    (Prompt.CHECK_IN, "102", "FEVER"),
    (Prompt.TEMPERATURE, "1013", "FEVER"),
    (Prompt.TEMPERATURE, "98", "OK_FINE"),
    (Prompt.TEMPERATURE, "386", "FEVER"),
    (Prompt.TEMPERATURE, "100.3", "TEMP_LOW_GRADE"),
    (Prompt.SUPPLY_COUNT, "0", "OUT_OF_MED"),
    (Prompt.SUPPLY_COUNT, "ninguna", "OUT_OF_MED"),
    (Prompt.SUPPLY_COUNT, "2", "LOW_SUPPLY"),
    (Prompt.SUPPLY_COUNT, "about 14", "OK_FINE"),
    (Prompt.DOSE_DONE, "yes", "DOSE_DONE"),
    (Prompt.DOSE_DONE, "no", "MISSED_DOSE"),
    (None, "no", "OK_FINE"),
    (None, "k", "DELIVERY_CONFIRM"),
]


@pytest.mark.parametrize(("prompt", "text", "kind"), ANSWERS)
def test_a_bare_answer_takes_its_meaning_from_the_question(
    prompt: Prompt | None, text: str, kind: str, rules: Rules
) -> None:
    assert read(text, rules, prompt=prompt).kinds == (kind,)


@pytest.mark.parametrize("prompt", list(Prompt))
def test_a_red_flag_beats_every_question(prompt: Prompt, rules: Rules) -> None:
    reading = read("yes but I have a fever", rules, prompt=prompt)
    assert reading.kinds[0] == "FEVER"
    assert reading.urgency is Urgency.URGENT


def test_yes_but_confirms_the_delivery_too(rules: Rules) -> None:
    assert set(read("yes but I have a fever", rules, prompt=Prompt.DELIVERY_CONFIRM).kinds) == {
        "FEVER",
        "DELIVERY_CONFIRM",
    }


# ---- whose plan it is

RAISED = [
    ("pump died", Flag.CRITICAL_CONTINUOUS, Urgency.EMERGENCY),
    ("battery low 10%", Flag.CRITICAL_CONTINUOUS, Urgency.EMERGENCY),
    ("se fue la luz", Flag.CRITICAL_CONTINUOUS, Urgency.EMERGENCY),
    ("dog pulled my picc out", Flag.CRITICAL_CONTINUOUS, Urgency.EMERGENCY),
    ("ball is empty already", Flag.CHEMO, Urgency.EMERGENCY),
    ("99.9", Flag.CHEMO, Urgency.URGENT),
    ("feet swollen", Flag.TPN, Urgency.URGENT),
    ("no fever, no chills", Flag.CHEMO, Urgency.NONE),
]


@pytest.mark.parametrize(("text", "flag", "urgency"), RAISED)
def test_a_dangerous_plan_raises_and_never_lowers(text: str, flag: Flag, urgency: Urgency, rules: Rules) -> None:
    assert read(text, rules, flags=frozenset({flag})).urgency is urgency
    assert read(text, rules).urgency.rank >= urgency.rank


def test_a_critical_drip_that_stopped_has_its_own_name(rules: Rules) -> None:
    reading = read("pump died", rules, flags=frozenset({Flag.CRITICAL_CONTINUOUS}))
    assert set(reading.kinds) == {"INOTROPE_STOPPED", "PUMP_DEAD"}


# ---- the shape that goes out


def test_the_evidence_points_into_the_raw_text(rules: Rules) -> None:
    text = "Hola, tengo CALENTURA y mi brazo está hinchado"
    reading: Reading = read(text, rules)
    spans = {found.kind: text[found.start : found.end] for found in reading.evidence}
    assert spans == {"FEVER": "CALENTURA", "ARM_SWELLING": "brazo está hinchado"}


def test_a_reading_as_json(rules: Rules) -> None:
    assert to_json(read("temp 101.4", rules), "r1") == {
        "id": "r1",
        "kinds": ["FEVER"],
        "urgency": "urgent",
        "role": "nurse",
        "ticket": True,
        "intent": "report",
        "negated": [],
        "evidence": [{"kind": "FEVER", "span": [5, 10]}],
    }


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("cuff says 194 over 102, did it again", "BP_ABNORMAL"),
        ("le sale 78 con 45", "BP_ABNORMAL"),
        ("top number 192", "BP_ABNORMAL"),
        ("finger stick 412", "HIGH_SUGAR"),
        ("99 then 100.6 an hour later", "FEVER"),
        ("hot. 102. cant", "FEVER"),
    ],
)
def test_a_reading_is_one_also_when_nobody_says_of_what(text: str, kind: str, rules: Rules) -> None:
    assert kind in read(text, rules).kinds


@pytest.mark.parametrize(
    "text", ["it runs at 100 an hour", "won 80 over 60 seconds", "the 102. again late", "18 con 50"]
)
def test_what_is_no_reading_is_none(text: str, rules: Rules) -> None:
    assert not read(text, rules).urgency.is_red


@pytest.mark.parametrize(
    "text",
    [
        "me voy a matar",
        "me quiero matar",
        "been saving up my pills",
        "con ganas de ya no estar",
        "quisiera no despertar",
    ],
)
def test_who_speaks_of_dying_is_an_emergency_however_they_say_it(text: str, rules: Rules) -> None:
    assert "SUICIDE_RISK" in read(text, rules).kinds
    assert read(text, rules).urgency is Urgency.EMERGENCY
