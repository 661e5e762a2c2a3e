// Shows how far something is, and loads the page anew when it comes to its next step, or only says
// so where the bar has words for it. Without this script the page says how it stood when it was loaded.
"use strict";

const PAUSE = 1000; // milliseconds before it asks again; longer each time, as what takes long is
const LONGEST = 10000; // seldom over in the next moment

function tell(bar, words, share) {
  bar.value = share;
  if (words) document.getElementById(`${bar.id}-words`).textContent = words;
}

async function follow(bar, pause = PAUSE) {
  if (document.hidden) return document.addEventListener("visibilitychange", () => follow(bar), { once: true });
  try {
    const answer = await fetch(bar.dataset.address, { headers: { Accept: "application/json" } });
    if (answer.ok) {
      const found = await answer.json();
      if (found.state !== bar.dataset.state) {
        if (bar.dataset.over) tell(bar, bar.dataset.over, 1);
        else location.reload();
        return;
      }
      tell(bar, found.words, found.share);
    }
  } catch {
    // Not reachable at the moment: the next round asks again.
  }
  setTimeout(follow, pause, bar, Math.min(pause * 1.1, LONGEST));
}

document.querySelectorAll("progress[data-address]").forEach((bar) => follow(bar));
