// Dragging over the histogram chooses a range; the page's own form, sent behind the scenes, says what
// is in it. Without this script the two numbers and the button do the same.
"use strict";

const STEPS = 100; // the histogram's columns, and the precision of a range

const form = document.getElementById("choice");
const plot = document.getElementById("histogram");
const from = document.getElementById("score_from");
const to = document.getElementById("score_to");

let anchor = null; // where the drag began
let asked = 0; // counts the questions, so that a late answer to an old one is not shown

function stepAt(event) {
  const box = plot.getBoundingClientRect();
  const step = (STEPS * (event.clientX - box.left)) / box.width;
  return Math.min(STEPS, Math.max(0, step));
}

function choose(start, end) {
  const low = Math.floor(Math.min(start, end));
  const high = Math.max(low + 1, Math.ceil(Math.max(start, end)));
  from.value = (Math.min(low, STEPS - 1) / STEPS).toFixed(2);
  to.value = (Math.min(high, STEPS) / STEPS).toFixed(2);
  draw();
}

function draw() {
  if (!plot) return;
  const [low, high] = range();
  const chosen = document.getElementById("chosen");
  chosen.setAttribute("x", low);
  chosen.setAttribute("width", Math.max(0, high - low));
  const bins = JSON.parse(plot.dataset.bins);
  const count = bins.slice(Math.floor(low), Math.ceil(high)).reduce((sum, bin) => sum + bin, 0);
  document.getElementById("preview").textContent =
    high > low ? `${count.toLocaleString("en")} from ${from.value} to ${to.value}` : "";
}

function range() {
  const ends = [from, to].map((field) => Math.round(STEPS * field.value));
  return [Math.min(...ends), Math.max(...ends)];
}

async function ask() {
  if (!from.value || !to.value || !form.checkValidity()) return;
  const address = `${location.pathname}?${new URLSearchParams(new FormData(form))}`;
  const question = ++asked;
  const shown = document.getElementById("range");
  shown.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const told = page.getElementById("range");
    if (question !== asked) return;
    if (!answer.ok || !told) throw new Error("no such page");
    document.getElementById("range").replaceWith(document.adoptNode(told));
    document.getElementById("told").textContent = told.querySelector("h2").textContent;
    history.replaceState(null, "", address);
  } catch {
    // Not reachable, or signed out: the form itself goes there, and tells why.
    if (question === asked) form.submit();
  }
}

if (plot) {
  plot.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    plot.setPointerCapture(event.pointerId);
    anchor = stepAt(event);
    choose(anchor, anchor);
  });
  plot.addEventListener("pointermove", (event) => {
    if (anchor !== null) choose(anchor, stepAt(event));
  });
  plot.addEventListener("pointerup", () => {
    if (anchor === null) return;
    anchor = null;
    ask();
  });
  plot.addEventListener("pointercancel", () => {
    anchor = null;
  });
}

for (const field of [from, to]) {
  field.addEventListener("input", draw);
  field.addEventListener("change", ask);
}
