// The handle along the curves: dragging over them or the slider shows what a threshold would bring, and
// the page's own form, sent behind the scenes, what the last comments would have met. Without this
// script the number and the button do the same.
"use strict";

const form = document.getElementById("trade");
const steps = form ? JSON.parse(form.dataset.steps) : [];
const slider = document.getElementById("handle");
const below = document.getElementById("below");
const areas = document.querySelectorAll("#curves svg.area");

let dragging = false;
let asked = 0; // counts the questions, so that a late answer to an old one is not shown

function show(step) {
  const { below: threshold, x, words } = steps[step];
  slider.value = step;
  slider.setAttribute("aria-valuetext", words);
  below.value = threshold;
  document.getElementById("words").textContent = words;
  for (const line of document.querySelectorAll("#curves .handle")) {
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
  }
}

function nearest(value) {
  const distance = (step) => Math.abs(steps[step].below - value);
  return steps.reduce((best, _, step) => (distance(step) < distance(best) ? step : best), 0);
}

function stepAt(event) {
  const box = event.currentTarget.getBoundingClientRect();
  const step = Math.floor((steps.length * (event.clientX - box.left)) / box.width);
  return Math.min(steps.length - 1, Math.max(0, step));
}

async function ask() {
  const address = `${location.pathname}?${new URLSearchParams(new FormData(form))}`;
  const question = ++asked;
  document.getElementById("outcome").setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const told = page.getElementById("outcome");
    if (question !== asked) return;
    if (!answer.ok || !told) throw new Error("no such page");
    document.getElementById("outcome").replaceWith(document.adoptNode(told));
    document.getElementById("told").textContent = document.getElementById("words").textContent;
    history.replaceState(null, "", address);
  } catch {
    // Not reachable, or signed out: the form itself goes there, and tells why.
    if (question === asked) form.submit();
  }
}

if (form) {
  form.querySelector(".slide").hidden = false;
  slider.addEventListener("input", () => show(Number(slider.value)));
  slider.addEventListener("change", ask);
  below.addEventListener("change", () => {
    if (!below.checkValidity() || !below.value) return;
    show(nearest(Number(below.value)));
    ask();
  });
}

for (const area of areas) {
  area.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    area.setPointerCapture(event.pointerId);
    dragging = true;
    show(stepAt(event));
  });
  area.addEventListener("pointermove", (event) => {
    if (dragging) show(stepAt(event));
  });
  area.addEventListener("pointerup", () => {
    if (!dragging) return;
    dragging = false;
    ask();
  });
  area.addEventListener("pointercancel", () => {
    dragging = false;
  });
}
