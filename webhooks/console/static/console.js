// Makes the server's pages live. Everything here only replaces what the server has drawn or presses its buttons:
// without this file every page still works.
"use strict";

const page = document.body.dataset;
const REFRESH = 30000;      // minutes left are redrawn this often, even when nothing changed
const WITHOUT_STREAM = 4000; // how often we ask when there is no stream
let pointerMoved = 0;
let asking = false;
let again = false;

// --- what is new on this page ---------------------------------------------------------------------------------

function say(words, isLive) {
  const live = document.getElementById("live");
  if (!live) return;
  live.querySelector("[data-dot]").classList.toggle("is-off", !isLive);
  live.querySelector("[data-said]").textContent = words;
}

let isLive = false;
function tellLive() {
  const words = document.querySelector("[data-said]")?.dataset;
  if (words) say(isLive ? words.liveWords : words.staleWords, isLive);
}

// Rows do not move under a pointer that is on its way to one of them.
function isAiming() {
  return Date.now() - pointerMoved < 1200 && document.querySelector("[data-rows] .row:hover") !== null;
}

async function refresh() {
  if (asking) { again = true; return; }
  if (isAiming()) { setTimeout(refresh, 400); return; }
  asking = true;
  try {
    const answer = await fetch(location.href, { headers: { "X-Live": "1" }, credentials: "same-origin" });
    if (answer.redirected && new URL(answer.url).pathname === "/signin") { location.reload(); return; }
    if (answer.ok) takeOver(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    isLive = false;   // no network: the time on the page says how old it is
    tellLive();
  } finally {
    asking = false;
    if (again) { again = false; refresh(); }
  }
}

function takeOver(fresh) {
  const focused = document.activeElement?.closest("[data-live]") ? document.activeElement : null;
  const row = focused?.closest(".row")?.id;
  // A form's token differs with each drawing and serves as long as the session: what is else the same stays untouched.
  const token = document.querySelector('[name="csrf_token"]')?.value;
  for (const one of fresh.querySelectorAll('[name="csrf_token"]')) one.setAttribute("value", token);
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    if (!now) { old.replaceChildren(); continue; }
    if (now.isEqualNode(old) || old.contains(focused) && !row) continue;
    keep(old, now);
    old.replaceWith(now);
  }
  document.title = fresh.title;
  if (row) document.getElementById(row)?.querySelector("a, input")?.focus({ preventScroll: true });
  tellLive();
}

// What the person has opened, ticked or is on stays so; what was not there before fades in.
function keep(old, now) {
  for (const one of old.querySelectorAll("details[open][id]")) now.querySelector(`#${one.id}`)?.setAttribute("open", "");
  for (const box of old.querySelectorAll("input:checked")) {
    const same = now.querySelector(`input[name="${box.name}"][value="${box.value}"]`);
    if (same) same.checked = true;
  }
  if (!now.hasAttribute("data-rows")) return;
  const known = new Set([...old.querySelectorAll(".row")].map((one) => one.id));
  for (const one of now.querySelectorAll(".row")) {
    if (!known.has(one.id)) one.classList.add("is-new");
    if (one.id === old.querySelector(".row.is-current")?.id) one.classList.add("is-current");
  }
}

// Without a stream: ask for the page's token, and for the page only when it has changed.
let token = new URLSearchParams(page.stream?.split("?")[1]).get("since");
async function askOnce() {
  const answer = await fetch(`${page.stream}&once=1`, { headers: { "X-Live": "1" }, credentials: "same-origin" }).catch(() => null);
  if (!answer?.ok || answer.redirected) { refresh(); return; }
  const now = await answer.text();
  if (now !== token) { token = now; refresh(); }
}

function listen() {
  const stream = new EventSource(page.stream);
  stream.addEventListener("open", () => { isLive = true; tellLive(); });
  stream.addEventListener("change", refresh);
  stream.addEventListener("error", () => {
    // Between two streams there is a second of silence; only a longer one is worth a word.
    if (stream.readyState === EventSource.CLOSED) {
      isLive = false;
      tellLive();
      setInterval(askOnce, WITHOUT_STREAM);
    }
  });
  setInterval(refresh, REFRESH);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
}

if (page.stream) listen();
document.addEventListener("pointermove", () => { pointerMoved = Date.now(); }, { passive: true });

// --- an emergency is heard, for those who asked for it ------------------------------------------------------------

const alarm = document.querySelector("[data-alarm]");
const EVERY = 20000; // one tone, again until somebody has it
let lastTone = 0;
let told = 0;

function alarmsNow() { return Number(document.getElementById("alarms")?.dataset.alarms || 0); }

function tone() {
  const audio = new AudioContext();
  const volume = audio.createGain();
  volume.connect(audio.destination);
  volume.gain.setValueAtTime(0.2, audio.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.5);
  const note = audio.createOscillator();
  note.frequency.value = 880;
  note.connect(volume);
  note.start();
  note.stop(audio.currentTime + 0.5);
  note.addEventListener("ended", () => audio.close());
}

function sound() {
  const count = alarmsNow();
  if (localStorage.alarm !== "on" || !count) { told = count; return; }
  if (Date.now() - lastTone >= EVERY) { lastTone = Date.now(); tone(); }
  if (count > told && "Notification" in window && Notification.permission === "granted") {
    new Notification(alarm.dataset.says, { tag: "emergency", requireInteraction: true }); // never a name
  }
  told = count;
}

function tellAlarm() {
  const on = localStorage.alarm === "on";
  alarm.setAttribute("aria-pressed", String(on));
  alarm.lastElementChild.textContent = on ? alarm.dataset.on : alarm.dataset.off;
}

if (alarm) {
  alarm.hidden = false;
  alarm.addEventListener("click", () => {
    localStorage.alarm = localStorage.alarm === "on" ? "off" : "on";
    if (localStorage.alarm === "on") {
      tone();
      if ("Notification" in window && Notification.permission === "default") Notification.requestPermission();
    }
    tellAlarm();
  });
  tellAlarm();
  setInterval(sound, 1000);
}

// --- toasts ---------------------------------------------------------------------------------------------------

for (const toast of document.querySelectorAll("[data-toast]")) {
  const leave = () => { if (toast.matches(":hover, :focus-within")) setTimeout(leave, 2000); else toast.remove(); };
  setTimeout(leave, 8000);
}

// --- how long a text is ---------------------------------------------------------------------------------------

const GSM = /^[@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&'()*+,\-./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà^{}\\[\]~|€]*$/;

function length(text) {
  const units = GSM.test(text) ? text.length + (text.match(/[\^{}\\[\]~|€]/g) || []).length : text.length;
  const [alone, joined] = GSM.test(text) ? [160, 153] : [70, 67];
  return [units, units <= alone ? 1 : Math.ceil(units / joined), units <= alone ? alone : 2 * joined];
}

for (const box of document.querySelectorAll("[data-count]")) {
  const counter = document.querySelector("[data-counter]");
  const before = counter.textContent;
  const count = () => {
    const [units, parts, room] = length(box.dataset.count + box.value);
    counter.textContent = box.value ? `${units} of ${room} · ${parts} segment${parts > 1 ? "s" : ""}` : before;
    counter.classList.toggle("is-over", parts > 2);
  };
  box.addEventListener("input", count);
  if (box.value) count();
}

// --- a form is checked while it is filled in --------------------------------------------------------------------

// The server's own rules, asked when a field is left. Only fields that were touched complain before the form is sent.
for (const form of document.querySelectorAll("form[data-check]")) {
  const touched = new Set();
  let asked = 0;  // an answer that a later question has overtaken is about what no longer stands there
  form.addEventListener("change", async (event) => {
    for (const one of document.querySelectorAll("[data-effect]")) one.classList.add("is-stale");
    const seen = form.querySelector('[name="seen"]');
    if (seen?.value) { seen.value = ""; tellUnseen(form); }
    touched.add(event.target.name);
    const mine = ++asked;
    const answer = await fetch(form.getAttribute("action") || location.href,
      { method: "POST", body: new FormData(form), headers: { "X-Check": "1" }, credentials: "same-origin" }).catch(() => null);
    if (!answer?.ok || !answer.headers.get("Content-Type").includes("json")) return;
    const { faults, tidy } = await answer.json();
    if (mine !== asked) return;
    for (const place of form.querySelectorAll("[data-why]")) {
      const name = place.dataset.why;
      const why = touched.has(name) || name === "shared" ? faults[name] || "" : place.hidden ? "" : faults[name] || "";
      place.hidden = !why;
      place.lastElementChild.textContent = why;
      const field = form.elements[name];
      place.closest(".field")?.classList.toggle("has-error", Boolean(why));
      if (field?.setAttribute) why ? field.setAttribute("aria-invalid", "true") : field.removeAttribute("aria-invalid");
    }
    for (const one of form.querySelectorAll("[data-shown-with]")) {
      if (faults[one.dataset.shownWith]) one.hidden = false;
    }
    for (const [name, better] of Object.entries(tidy)) {
      const field = form.elements[name];
      if (field && field !== document.activeElement && "value" in field) field.value = better;
    }
  });
}

// What was shown is not what would be saved any more: the button says so.
function tellUnseen(form) {
  const button = form.querySelector("[data-again]");
  if (button) button.textContent = button.dataset.again;
}

// --- a file is dropped, a page is printed -----------------------------------------------------------------------

for (const place of document.querySelectorAll("[data-drop]")) {
  const input = place.querySelector("input");
  place.addEventListener("dragover", (event) => { event.preventDefault(); place.classList.add("is-target"); });
  place.addEventListener("dragleave", () => place.classList.remove("is-target"));
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    place.classList.remove("is-target");
    if (event.dataTransfer.files.length) { input.files = event.dataTransfer.files; input.form.requestSubmit(); }
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// --- a delivery is dropped on another day -----------------------------------------------------------------------

for (const month of document.querySelectorAll("[data-calendar]")) {
  let held = null;
  month.addEventListener("dragstart", (event) => { held = event.target.closest("[draggable]"); });
  month.addEventListener("dragend", () => { held = null; });
  month.addEventListener("dragover", (event) => {
    const day = event.target.closest("td");
    if (!held || !day) return;
    event.preventDefault();
    for (const one of month.querySelectorAll(".is-target")) one.classList.remove("is-target");
    day.classList.add("is-target");
  });
  month.addEventListener("drop", (event) => {
    const day = event.target.closest("td");
    if (!held || !day) return;
    event.preventDefault();
    location.href = `${held.getAttribute("href")}?day=${day.dataset.date}`;
  });
}

// One press of a form's button is one post; without this the server still takes a double press as one.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  else if (event.target.method === "post") event.target.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("[data-sent]")) delete form.dataset.sent;
});

// --- keys -----------------------------------------------------------------------------------------------------

function move(step) {
  const rows = [...document.querySelectorAll("[data-rows] .row")];
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.classList.contains("is-current"));
  rows[at]?.classList.remove("is-current");
  const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + step))];
  next.classList.add("is-current");
  next.querySelector(".row-title a").focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function take() {
  const row = document.querySelector("[data-rows] .row.is-current");
  const banner = document.querySelector(".banner.is-alarm form");
  const form = document.getElementById("take");
  if (row && form) {
    form.action = `/tickets/${row.id.slice(1)}/acknowledge`;
    form.requestSubmit();
  } else if (banner) banner.requestSubmit();
  else document.querySelector('[data-key="a"]')?.click();
}

// To the box of the ticket's page: an answer, or a note. From the board: of the row in hand.
function write(what) {
  const row = document.querySelector("[data-rows] .row.is-current .row-title a");
  const query = what ? `?write=${what}` : "";
  if (row) { location.href = `${row.getAttribute("href")}${query}#text`; return; }
  const box = document.getElementById("text");
  if (!box) return;
  const noting = box.form.getAttribute("action").endsWith("/note");
  if (noting === (what === "note")) box.focus();
  else location.href = `${location.pathname}${query}#text`;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  const does = { j: () => move(1), k: () => move(-1), a: take, r: () => write(""), n: () => write("note"),
    c: () => document.querySelector('[data-key="c"]')?.click(), "/": () => document.getElementById("q")?.focus(),
    "?": () => document.getElementById("keys")?.showModal() }[event.key];
  if (does) { event.preventDefault(); does(); }
});
