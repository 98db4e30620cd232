"use strict";

// Shows logins that wait for this user's decision, as soon as the server tells of them.
(() => {
  const RETRY_MS = 5000;

  const banner = document.getElementById("approval-banner");
  if (!banner || !banner.dataset.eventsUrl) return;
  const words = document.getElementById("approval-banner-words");
  let stream = null;
  let retry = 0;

  function connect() {
    clearTimeout(retry);
    if (stream) stream.close();
    stream = new EventSource(banner.dataset.eventsUrl);
    stream.addEventListener("approvals", (event) => show(event.data));
    stream.addEventListener("error", () => {
      if (stream.readyState === EventSource.CLOSED) retry = setTimeout(connect, RETRY_MS);
    });
  }

  function show(data) {
    const list = document.getElementById("approvals");
    if (list) showList(list);
    else showBanner(JSON.parse(data).pending > 0);
  }

  function showBanner(waits) {
    if (waits === Boolean(banner.firstElementChild)) return;
    banner.replaceChildren(...(waits ? [words.content.cloneNode(true)] : []));
  }

  async function showList(list) {
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (answer.redirected) return location.assign(answer.url);
      if (!answer.ok) return;
      const text = await answer.text();
      const fresh = new DOMParser().parseFromString(text, "text/html");
      const next = fresh.getElementById("approvals");
      // Digits that are being typed stay as long as their login is still there.
      if (next && next.dataset.logins !== list.dataset.logins) {
        list.replaceWith(document.adoptNode(next));
      }
    } catch {
      // No network at present: the stream's next start sends the state again.
    }
  }

  document.addEventListener("visibilitychange", () => {
    const over = stream.readyState === EventSource.CLOSED;
    if (document.visibilityState === "visible" && over) connect();
  });
  window.addEventListener("online", connect);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
  connect();
})();
