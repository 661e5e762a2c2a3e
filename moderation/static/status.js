// Follows a comment that has just been posted until it is decided. Without this script the page
// says how it stood when it was loaded, and loading it again tells the rest.
"use strict";

const FIRST_PAUSE = 250; // milliseconds; each later pause is half as long again
const LONGEST_PAUSE = 15000;

async function follow(line, pause) {
  if (!["pending", "held"].includes(line.dataset.status)) return;
  await new Promise((resolve) => setTimeout(resolve, pause));
  try {
    const answer = await fetch(line.dataset.statusAddress, {
      headers: { Accept: "application/json" },
    });
    if (answer.ok) show(line, (await answer.json()).status);
  } catch {
    // Not reachable at the moment: the next round asks again.
  }
  follow(line, Math.min(pause * 1.5, LONGEST_PAUSE));
}

function show(line, status) {
  if (status === line.dataset.status) return;
  line.dataset.status = status;
  line.textContent = line.dataset[status];
}

for (const line of document.querySelectorAll("[data-status-address]")) {
  follow(line, FIRST_PAUSE);
}
