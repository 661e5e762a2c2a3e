// Shows how far an import is, and loads the page anew when it comes to its next step. Without this
// script the page says how it stood when it was loaded.
"use strict";

const PAUSE = 1000; // milliseconds

async function follow(bar) {
  try {
    const answer = await fetch(bar.dataset.address, { headers: { Accept: "application/json" } });
    if (answer.ok) {
      const run = await answer.json();
      bar.value = run.share;
      if (run.state !== bar.dataset.state) {
        location.reload();
        return;
      }
    }
  } catch {
    // Not reachable at the moment: the next round asks again.
  }
  setTimeout(follow, PAUSE, bar);
}

follow(document.getElementById("progress"));
