// Tells times in the reader's own zone. Without this script they are in UTC, and say so.
"use strict";

const DAY = { day: "numeric", month: "short", year: "numeric" };
const MINUTES = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

function tellInOwnZone(time) {
  if (time.title || !time.textContent.endsWith(" UTC")) return;
  const at = new Date(time.dateTime);
  const hasSeconds = /:\d\d:/.test(time.textContent);
  time.title = time.textContent;
  time.textContent = at.toLocaleString("en-GB", {
    ...DAY,
    ...MINUTES,
    ...(hasSeconds && { second: "2-digit" }),
  });
}

function tellAllIn(element) {
  if (element.matches("time")) tellInOwnZone(element);
  element.querySelectorAll("time").forEach(tellInOwnZone);
}

// Cards come in later, too.
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) {
    for (const node of addedNodes) if (node.nodeType === Node.ELEMENT_NODE) tellAllIn(node);
  }
}).observe(document.body, { childList: true, subtree: true });
tellAllIn(document.body);
