// The moderators' desk without waiting for pages: a decided card leaves at once, the next one is
// there, and keys do what the buttons do. Every form works without this script.
"use strict";

const PULSE = 5000; // milliseconds between two looks for news
const PRESENT = 120000; // milliseconds without a key or click after which nobody is reading
const MORE_BELOW = 6; // cards left at which the next page is fetched

const queue = document.querySelector("[data-queue]");
const cards = () => [...document.querySelectorAll(".card")];
const bulk = document.getElementById("bulk");
const gone = new Map(); // cards that were decided, by id, with the card that came after
let current = null;
let sending = Promise.resolve(); // one request after the other, so that undo comes after what it undoes
const arrived = new Set();
let since = queue ? Number(queue.dataset.since) : 0;
let lastInput = Date.now();
let claimed = null;
let signedOut = false;

// ---- What is said

function say(message, undo) {
  const toast = document.querySelector("[data-toast]");
  toast.hidden = !message;
  document.querySelector("[data-said]").textContent = message;
  document.querySelector("[data-take-back]").hidden = !undo;
}

function complain(message, signIn) {
  const box = document.querySelector("[data-error]");
  box.hidden = !message;
  box.textContent = message;
  if (!signIn) return;
  const link = document.createElement("a");
  link.href = queue.dataset.signIn;
  link.target = "_blank";
  link.textContent = "Sign in in a new window";
  const way = document.createElement("span"); // the box lays out each of its children by itself
  way.append(message, " ", link, ", then go on here.");
  box.replaceChildren(way);
}

// ---- Sending

// Sends a form's fields; the decoded answer, or null where nothing was done and somebody was told.
async function send(address, fields, again = true) {
  fields.set("csrf_token", token());
  let answer;
  try {
    answer = await fetch(address, {
      method: "POST",
      body: new URLSearchParams(fields),
      headers: { Accept: "application/json" },
      redirect: "manual",
    });
  } catch {
    complain("The service cannot be reached: nothing was changed. Try again.");
    return null;
  }
  if (answer.ok) return answer.json();
  // A new session, begun in another window, makes a new token necessary: news brings it.
  if (answer.status === 400 && again && (await lookForNews())) return send(address, fields, false);
  if (signedOut || answer.type === "opaqueredirect" || answer.status === 401) {
    complain("Your session has ended: nothing was changed, and nothing here is lost.", true);
    return null;
  }
  const problem = await answer.json().catch(() => ({}));
  complain(`Nothing was changed: ${problem.detail || `the service answered ${answer.status}`}.`);
  return null;
}

function later(work) {
  sending = sending.then(work, work);
  return sending;
}

const token = () => document.querySelector('input[name="csrf_token"]').value;

// ---- The current card

function choose(card, { focus = true } = {}) {
  if (current) current.classList.remove("current");
  current = card;
  if (!card) return;
  card.classList.add("current");
  if (focus) card.focus();
  claim(card.dataset.id);
}

function step(by) {
  const all = cards();
  const place = all.indexOf(current);
  choose(all[Math.min(Math.max(place + by, 0), all.length - 1)] || null);
}

// The card after one that leaves: the next that nobody else is reading, or else the next at all.
function following(card) {
  const all = cards();
  const after = all.slice(all.indexOf(card) + 1);
  const free = after.find((one) => one.querySelector(".reader").hidden);
  return free || after[0] || all[all.indexOf(card) - 1] || null;
}

// ---- Deciding

function isSettled(status) {
  const shown = queue.dataset.status;
  return shown !== "all" && shown !== status;
}

function takeAway(card) {
  gone.set(card.dataset.id, { card, after: card.nextElementSibling });
  card.remove();
}

function putBack(id, version) {
  const entry = gone.get(id);
  if (!entry) return null;
  gone.delete(id);
  const { card, after } = entry;
  if (after && after.isConnected) after.before(card);
  else if (after && current) current.before(card);
  else queue.append(card);
  if (version) setVersion(card, version);
  return card;
}

function setVersion(card, version) {
  card.dataset.version = version;
  for (const input of card.querySelectorAll('input[name="version"]')) input.value = version;
  const box = card.querySelector('input[name="seen"]');
  if (box) box.value = `${card.dataset.id}:${version}`;
}

// Decides about cards: they leave at once, and come back where that could not be done.
function decide(form, fields, leaving) {
  complain("");
  const status = fields.get("to");
  const goes = isSettled(status);
  const next = leaving.includes(current) ? nextAfter(leaving) : current;
  if (goes) leaving.forEach(takeAway);
  leaving.forEach((card) => pick(card, false));
  say("Saving …", false);
  choose(next, { focus: true });
  showEmpty();
  return later(async () => {
    const answer = await send(form.action, fields);
    if (!answer) {
      const back = leaving.map((card) => putBack(card.dataset.id)).filter(Boolean);
      if (back.length) choose(back[0]);
      say("", false);
      showEmpty();
      return;
    }
    settle(answer);
    fetchMore();
  });
}

function nextAfter(leaving) {
  const staying = cards().filter((card) => !leaving.includes(card));
  const last = leaving[leaving.length - 1];
  const position = last.compareDocumentPosition.bind(last);
  const after = staying.filter((card) => position(card) & Node.DOCUMENT_POSITION_FOLLOWING);
  const free = after.find((card) => card.querySelector(".reader").hidden);
  return free || after[0] || staying[staying.length - 1] || null;
}

function settle(answer) {
  for (const { id, version, status } of answer.applied) {
    const shown = document.getElementById(`card-${id}`);
    if (shown) {
      setVersion(shown, version);
      if (isSettled(status)) {
        if (shown === current) choose(following(shown));
        takeAway(shown);
      }
    }
  }
  if (answer.refused.length) complain(answer.refused.slice(0, 3).join(" "));
  say(answer.message, answer.undo);
  showEmpty();
}

function takeBack() {
  say("Taking back …", false);
  return later(async () => {
    const answer = await send(queue.dataset.undo, new FormData());
    if (!answer) return say("", false);
    let first = null;
    for (const { id, version, status } of answer.applied) {
      const shown = document.getElementById(`card-${id}`);
      if (shown) setVersion(shown, version);
      else if (!isSettled(status)) first = putBack(id, version) || first;
    }
    if (first) choose(first);
    if (answer.refused.length) complain(answer.refused.slice(0, 3).join(" "));
    say(answer.message, false);
    showEmpty();
  });
}

function showEmpty() {
  document.querySelector("[data-empty]").hidden = cards().length > 0;
  showSelection();
}

async function fetchMore() {
  const link = document.querySelector('a[rel="next"]');
  if (!link || cards().length >= MORE_BELOW || link.dataset.busy) return;
  link.dataset.busy = "yes";
  try {
    const answer = await fetch(link.href, { redirect: "manual" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const card of page.querySelectorAll(".card")) {
      if (document.getElementById(card.id) || gone.has(card.dataset.id)) continue;
      queue.append(document.adoptNode(card));
    }
    const next = page.querySelector('a[rel="next"]');
    if (next) link.href = next.href;
    else link.parentElement.remove();
    if (!current) choose(cards()[0] || null);
    showEmpty();
  } catch {
    // Not reachable at the moment: the link is still there.
  } finally {
    delete link.dataset.busy;
  }
}

// ---- Selecting

const picked = () => cards().filter((card) => card.querySelector('input[name="seen"]')?.checked);

function pick(card, on) {
  const box = card.querySelector('input[name="seen"]');
  if (box) box.checked = on;
  card.classList.toggle("picked", on);
  showSelection();
}

function showSelection() {
  if (!bulk) return;
  const number = picked().length;
  bulk.hidden = number === 0;
  bulk.querySelector("[data-selected]").textContent = `${number} selected:`;
  document.querySelector("[data-toast]").classList.toggle("above", number > 0);
}

function press(to, reason) {
  const several = picked();
  if (several.length) {
    const fields = new FormData(bulk);
    fields.set("to", to);
    if (reason) fields.set("reason", reason);
    decide(bulk, fields, several);
  } else if (current) {
    submit(current.querySelector("form.decide"), to, reason);
  }
}

function submit(form, to, reason) {
  const fields = new FormData(form);
  fields.set("to", to);
  if (reason) fields.set("reason", reason);
  decide(form, fields, [form.closest(".card")]);
}

// ---- Who reads what

function claim(id) {
  clearTimeout(claim.timer);
  claim.timer = setTimeout(async () => {
    if (claimed && claimed !== id) leave();
    claimed = id;
    await tellReading(id);
  }, 300);
}

async function tellReading(id) {
  const answer = await fetch(`/desk/comments/${id}/reading`, {
    method: "POST",
    body: new URLSearchParams({ csrf_token: token() }),
    headers: { Accept: "application/json" },
    redirect: "manual",
  }).catch(() => null);
  if (answer?.ok) showReader(id, (await answer.json()).reader);
}

function leave() {
  if (!claimed) return;
  const fields = new URLSearchParams({ csrf_token: token(), left: "yes" });
  navigator.sendBeacon(`/desk/comments/${claimed}/reading`, fields);
  claimed = null;
}

function showReader(id, name, does = "is reading this") {
  const line = document.getElementById(`card-${id}`)?.querySelector(".reader");
  if (!line) return;
  line.hidden = !name;
  line.replaceChildren();
  if (!name) return;
  const who = document.createElement("bdi");
  who.textContent = name;
  line.append(who, ` ${does}`);
}

// ---- News

// Whether there was an answer: everything on the page is then up to date, the forms' tokens too.
async function lookForNews() {
  const shown = cards().map((card) => `${card.dataset.id}:${card.dataset.version}`);
  const address = new URL(queue.dataset.pulse, location.href);
  address.searchParams.set("since", since);
  address.searchParams.set("shown", shown.join(","));
  const answer = await fetch(address, {
    headers: { Accept: "application/json" },
    redirect: "manual",
  }).catch(() => null);
  signedOut = answer?.status === 401;
  if (!answer?.ok) return false;
  const news = await answer.json();
  since = news.since;
  for (const input of document.querySelectorAll('input[name="csrf_token"]')) input.value = news.token;
  for (const card of cards()) showReader(card.dataset.id, news.readers[card.dataset.id] || "");
  for (const [id, what] of Object.entries(news.decided)) showReader(id, what, "");
  for (const [tab, count] of Object.entries(news.counts)) {
    document.querySelector(`.tabs [data-tab="${tab}"] .number`).textContent = count;
  }
  for (const id of news.arrived) if (!gone.has(id)) arrived.add(id);
  announce();
  return true;
}

function announce() {
  const line = document.querySelector("[data-arrivals]");
  const words = `${arrived.size >= 100 ? "100+" : arrived.size} new: show`;
  if (!arrived.size || line.textContent === words) return;
  const link = document.createElement("a");
  link.href = queue.dataset.fresh;
  link.textContent = words;
  line.replaceChildren(link);
}

async function beat() {
  if (!document.hidden) {
    await lookForNews();
    if (claimed && Date.now() - lastInput < PRESENT) await tellReading(claimed);
  }
  setTimeout(beat, PULSE);
}

// ---- Keys

const help = document.querySelector("dialog.hot-keys");
const switched = document.querySelector("[data-keys]");

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  f: () => press("approved"),
  d: () => press("rejected"),
  h: () => press("held"),
  z: takeBack,
  x: () => current && pick(current, !current.querySelector('input[name="seen"]').checked),
  s: () => current?.querySelector('input[name="similar"]')?.click(),
  n: openMore,
  "/": openSearch,
  "?": () => help.showModal(),
};

function openMore() {
  const more = current?.querySelector(".more");
  if (!more) return;
  more.open = true;
  more.querySelector("textarea").focus();
}

function openSearch() {
  document.querySelector(".filters").open = true;
  document.getElementById("by-text").focus();
}

function onKey(event) {
  lastInput = Date.now();
  const typing = event.target.closest("input:not([type=checkbox]), textarea, select, dialog");
  if (event.key === "Escape" && typing) return typing.blur();
  if (event.ctrlKey || event.metaKey || event.altKey || typing || event.repeat) return;
  if (!switched.checked && event.key !== "?") return;
  const number = Number(event.key);
  let work = KEYS[event.key];
  if (number >= 1 && number <= 9) {
    const options = document.querySelectorAll("#bulk-reason option");
    work = () => press("rejected", options[number - 1].value);
  }
  if (!work) return;
  event.preventDefault();
  work();
}

// ---- Start

function start() {
  document.addEventListener("keydown", onKey);
  document.addEventListener("pointerdown", () => (lastInput = Date.now()));
  document.addEventListener("focusin", (event) => {
    const card = event.target.closest(".card");
    if (card && card !== current) choose(card, { focus: false });
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const to = event.submitter?.value;
    if (form.matches(".decide")) {
      event.preventDefault();
      submit(form, to);
    } else if (form === bulk) {
      event.preventDefault();
      if (picked().length) press(to);
    }
  });
  document.addEventListener("change", (event) => {
    if (event.target.name === "seen") pick(event.target.closest(".card"), event.target.checked);
  });
  document.getElementById("order").addEventListener("change", (event) => event.target.form.submit());
  document.querySelector(".sorting button").hidden = true;
  document.querySelector("[data-take-back]").addEventListener("click", takeBack);
  const keys = document.querySelector("[data-help]");
  keys.hidden = false;
  keys.addEventListener("click", () => help.showModal());
  const all = document.querySelector("[data-select-all]");
  all.hidden = false;
  all.addEventListener("click", () => cards().forEach((card) => pick(card, true)));
  switched.checked = localStorage.getItem("keys") !== "off";
  switched.addEventListener("change", () =>
    localStorage.setItem("keys", switched.checked ? "on" : "off"),
  );
  window.addEventListener("pagehide", leave);
  showSelection();
  const asked = document.querySelector(".card:target"); // whose note was kept, for example
  choose(asked || cards()[0] || null, { focus: Boolean(asked) });
  setTimeout(beat, PULSE);
}

if (queue) start();
