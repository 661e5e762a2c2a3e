// Shows how far something is, and loads the page anew when it comes to its next step. Without this
// script the page says how it stood when it was loaded.
"use strict";

const PAUSE = 1000; // milliseconds

async function follow(bar) {
  try {
    const answer = await fetch(bar.dataset.address, { headers: { Accept: "application/json" } });
    if (answer.ok) {
      const found = await answer.json();
      if (found.state !== bar.dataset.state) {
        location.reload();
        return;
      }
      bar.value = found.share;
      if (found.words) document.getElementById(`${bar.id}-words`).textContent = found.words;
    }
  } catch {
    // Not reachable at the moment: the next round asks again.
  }
  setTimeout(follow, PAUSE, bar);
}

document.querySelectorAll("progress[data-address]").forEach(follow);
