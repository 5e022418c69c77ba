// Makes the server's pages live. Everything here only replaces what the server has drawn or presses its buttons:
// without this file every page still works.
"use strict";

// --- what is new on this page ---------------------------------------------------------------------------------

// htmx listens to the page's stream and takes over what has changed. Here is what it cannot know: that rows do not move
// under a hand, what is new, how old the page is, and what to do where there is no stream.
const stream = document.getElementById("stream");
const fresh = document.getElementById("fresh");
const WITHOUT_STREAM = 4000; // how often we ask when there is no stream
let pointerMoved = 0;
let isLive = false;

function tellLive() {
  const live = document.getElementById("live");
  if (!live) return;
  const said = live.querySelector("[data-said]");
  live.querySelector("[data-dot]").classList.toggle("is-off", !isLive);
  said.textContent = isLive ? said.dataset.liveWords : said.dataset.staleWords;
}

function setLive(now) { isLive = now; tellLive(); }

function refresh() { htmx.trigger(stream, "change"); }

// Rows do not move under a pointer that is on its way to one of them.
function isAiming() {
  return Date.now() - pointerMoved < 1200 && document.querySelector("[data-rows] .row:hover") !== null;
}

// Without a stream: ask for the page's token, and for the page only when it has changed.
let token = stream && new URLSearchParams(stream.dataset.asks.split("?")[1]).get("since");
async function askOnce() {
  const answer = await fetch(`${stream.dataset.asks}&once=1`, { headers: { "X-Live": "1" }, credentials: "same-origin" }).catch(() => null);
  if (!answer) return;
  const now = answer.redirected || !answer.ok ? "" : await answer.text();
  if (now !== token) { token = now; refresh(); }
}

if (stream) {
  let known = new Set();
  stream.addEventListener("htmx:sse:after:connection", (event) => setLive(event.detail.connection.status === 200));
  stream.addEventListener("htmx:sse:error", () => setLive(false));
  stream.addEventListener("htmx:sse:close", () => setLive(false));
  fresh.addEventListener("htmx:error", () => setLive(false));  // the time on the page says how old it is
  fresh.addEventListener("htmx:before:request", (event) => {
    if (isAiming()) { event.preventDefault(); setTimeout(refresh, 400); }
  });
  fresh.addEventListener("htmx:before:swap", (event) => {
    const { ctx, tasks } = event.detail;
    if (ctx.response.raw.redirected && new URL(ctx.response.raw.url).pathname === "/signin") location.reload();
    if (ctx.response.status !== 200 || ctx.response.raw.redirected) { event.preventDefault(); return; }
    const kept = new Set(tasks.map((task) => task.target.id));
    for (const one of document.querySelectorAll("[data-live]")) if (!kept.has(one.id)) one.replaceChildren();
    known = new Set([...document.querySelectorAll("[data-rows] .row")].map((row) => row.id));
  });
  fresh.addEventListener("htmx:after:swap", (event) => {
    document.title = event.detail.ctx.title;
    for (const row of document.querySelectorAll("[data-rows] .row")) if (!known.has(row.id)) row.classList.add("is-new");
    tellLive();
  });
  setInterval(() => { if (!isLive) askOnce(); }, WITHOUT_STREAM);
}
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
  const at = rows.findIndex((row) => row.hasAttribute("data-current"));
  rows[at]?.removeAttribute("data-current");
  const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + step))];
  next.setAttribute("data-current", "");
  next.querySelector(".row-title a").focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function take() {
  const row = document.querySelector("[data-rows] .row[data-current]");
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
  const row = document.querySelector("[data-rows] .row[data-current] .row-title a");
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
