"use strict";

// Brings the operators' page up to date while somebody looks at it; without scripts
// the page reloads itself.
(() => {
  const INTERVAL_MS = 2000;
  const live = document.getElementById("queue-live");
  const stale = document.getElementById("queue-stale");
  let asking = false;

  async function renew() {
    if (asking || document.hidden) return;
    asking = true;
    try {
      const answer = await fetch(live.dataset.url, {
        headers: { Accept: "text/html" },
        redirect: "error",
        signal: AbortSignal.timeout(10_000),
      });
      if (!answer.ok) throw new Error(String(answer.status));
      replace(await answer.text());
      stale.hidden = true;
    } catch {
      stale.hidden = false;
    } finally {
      asking = false;
    }
  }

  // Only what has changed, so that neither the focus nor an open table is lost.
  function replace(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    for (const part of [...live.children]) {
      const next = fresh.getElementById(part.id);
      if (!next || sources.get(part) === next.outerHTML) continue;
      if (part.contains(document.activeElement)) continue;
      sources.set(next, next.outerHTML);
      keepOpen(part, next);
      part.replaceWith(next);
    }
  }

  // What the server wrote; other scripts write times in the reader's own way.
  const sources = new WeakMap();
  for (const part of live.children) sources.set(part, part.outerHTML);

  function keepOpen(part, next) {
    for (const details of part.querySelectorAll("details[open]")) {
      const same = next.querySelector(`#${details.id}`);
      if (same) same.open = true;
    }
  }

  setInterval(renew, INTERVAL_MS);
  document.addEventListener("visibilitychange", renew);
})();
