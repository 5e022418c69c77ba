// The pocket phone, live. The server draws the whole page; this script only asks for it again when something has
// changed, grafts what is new onto what is there, and sends the forms without leaving the page.
"use strict";

const clock = { epoch: 0, speed: 1, at: 0 };
const calls = new Map();

// Makes `old` like `fresh`, touching as little as possible: what is typed, focused or scrolled stays.
function graft(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  if (old.nodeName === "SELECT" && document.activeElement !== old) old.value = fresh.value;
  const keyed = new Map([...old.children].filter((one) => one.dataset.key).map((one) => [one.dataset.key, one]));
  let here = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const key = child.dataset && child.dataset.key;
    let match = key ? keyed.get(key) : here;
    if (!key && match && (match.nodeName !== child.nodeName || (match.dataset && match.dataset.key))) match = null;
    if (!match) {
      if (key && here) child.classList.add("is-new");
      old.insertBefore(child, here);
      continue;
    }
    if (match !== here) old.insertBefore(match, here);
    here = match.nextSibling;
    graft(match, child);
  }
  while (here) {
    const next = here.nextSibling;
    here.remove();
    here = next;
  }
}

let asking = false;
let again = false;

async function refresh() {
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.title = fresh.title;
      for (const id of ["people", "main", "where", "now"]) graft(document.getElementById(id), fresh.getElementById(id));
      wind();
    }
  } catch {
    // The sandbox is away: the stream says so, and asks again.
  } finally {
    asking = false;
  }
  if (again) {
    again = false;
    refresh();
  }
}

// Takes the product's clock from the page and lets it run here until the next look.
function wind() {
  const now = document.getElementById("now");
  Object.assign(clock, { epoch: Number(now.dataset.epoch), speed: Number(now.dataset.speed), at: Date.now() });
  tick();
}

function tick() {
  const now = new Date(clock.epoch + (Date.now() - clock.at) * clock.speed);
  for (const face of document.querySelectorAll("[data-zone]")) {
    const zone = { timeZone: face.dataset.zone };
    const time = now.toLocaleTimeString("en-US", { hour: "numeric", minute: "2-digit", ...zone }).replace(/\s/g, " ");
    const day = face.dataset.weekday ? " " + now.toLocaleDateString("en-US", { weekday: "short", ...zone }) : "";
    const words = (face.dataset.bare ? time.split(" ")[0] : time) + day;
    if (face.textContent !== words) face.textContent = words;
  }
  for (const face of document.querySelectorAll("[data-elapsed]")) {
    const sid = face.dataset.call;
    if (!calls.has(sid)) calls.set(sid, Date.now() - Number(face.dataset.elapsed) * 1000);
    const seconds = Math.floor((Date.now() - calls.get(sid)) / 1000);
    face.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}

// Calls are spoken by the browser's own voice, where it has one and somebody asked for it; each sentence once.
const spoken = new Set();

function speakAloud() {
  const lines = document.querySelectorAll(".spoken [data-key]");
  const wanted = document.getElementById("aloud-on").checked;
  if (!lines.length || !wanted) window.speechSynthesis?.cancel();
  for (const line of lines) {
    if (spoken.has(line.dataset.key) || line.dataset.key === "wait") continue;
    spoken.add(line.dataset.key);
    if (!wanted) continue;
    const said = new SpeechSynthesisUtterance(line.textContent);
    said.lang = { en: "en-US", es: "es-US" }[line.closest("[lang]").lang.slice(0, 2)] || "en-US";
    said.rate = 0.9;
    window.speechSynthesis.speak(said);
  }
}

if ("speechSynthesis" in window) {
  document.getElementById("aloud").hidden = false;
  document.getElementById("aloud-on").addEventListener("change", speakAloud);
  new MutationObserver(speakAloud).observe(document.getElementById("main"), { childList: true, subtree: true });
}

function say(words) {
  const hint = document.getElementById("hint");
  hint.textContent = words;
  hint.hidden = !words;
  clearTimeout(say.timer);
  if (words) say.timer = setTimeout(() => say(""), 6000);
}

async function send(form, button) {
  const fields = new FormData(form, button);
  form.reset();
  try {
    const headers = { Accept: "application/json" };
    const answer = await fetch(form.action, { method: "POST", headers, body: new URLSearchParams(fields) });
    if (!answer.ok) say((await answer.json()).error);
  } catch {
    say("The sandbox does not answer. Is it still running?");
  }
  refresh();
}

document.addEventListener("submit", (event) => {
  event.preventDefault();
  send(event.target, event.submitter);
});

document.addEventListener("change", (event) => {
  if ("submits" in event.target.dataset) {
    const { form, value } = event.target;
    const headers = { Accept: "application/json", "Content-Type": "application/json" };
    fetch(form.action, { method: "POST", headers, body: JSON.stringify({ mode: value }) }).then(refresh);
  }
});

// Choosing a phone draws the desk anew without leaving the page, so that the stream stays open.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a.person");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  refresh();
});
window.addEventListener("popstate", refresh);

function connected(is) {
  document.getElementById("live").classList.toggle("is-off", !is);
  document.getElementById("live-word").textContent = is ? "Live" : "Not live, trying again";
}

const stream = new EventSource("/sandbox/events");
stream.onopen = () => connected(true);
stream.onerror = () => connected(false);
stream.onmessage = refresh;
setInterval(tick, 500);
wind();
