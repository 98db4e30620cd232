"use strict";

// Shows logins that wait for this user's decision as soon as the server tells of them,
// and leaves the page when its session has ended.
(() => {
  const RETRY_MS = 3000;
  const LEAVING_MS = 10000;

  const list = document.getElementById("approvals");
  if (!list) return;
  const title = document.title;
  let stream = null;
  let retry = 0;
  let left = false;

  // Browsers allow few connections at a time to one site: only a page that is seen
  // holds one.
  function connect() {
    disconnect();
    if (left || document.visibilityState !== "visible") return;
    stream = new EventSource(list.dataset.eventsUrl);
    stream.addEventListener("approvals", (event) => show(JSON.parse(event.data)));
    stream.addEventListener("ended", again);
    stream.addEventListener("error", () => {
      if (stream && stream.readyState === EventSource.CLOSED) again();
    });
  }

  function disconnect() {
    clearTimeout(retry);
    if (stream) stream.close();
    stream = null;
  }

  // The stream is over or never began; the page that it belongs to says why.
  async function again() {
    disconnect();
    await refresh();
    clearTimeout(retry);
    retry = setTimeout(connect, RETRY_MS);
  }

  function show(news) {
    if (news.logins.join(" ") !== list.dataset.logins) refresh();
  }

  async function refresh() {
    try {
      const answer = await fetch(list.dataset.url, { cache: "no-store" });
      if (answer.redirected) leave();
      else if (answer.ok) replace(await answer.text());
    } catch {
      // No network at present: the stream's next start tells the state again.
    }
  }

  function replace(text) {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const next = fresh.getElementById("approvals");
    // Digits that are being typed stay as long as their login is still there.
    if (next && next.dataset.logins !== list.dataset.logins) put(next);
  }

  function put(next) {
    list.dataset.logins = next.dataset.logins;
    list.replaceChildren(...document.adoptNode(next).childNodes);
    mark();
  }

  function mark() {
    document.title = list.dataset.logins ? `(1) ${title}` : title;
    for (const whole of list.querySelectorAll(".approval-whole")) {
      if (sessionStorage.getItem(`small ${whole.id}`)) whole.open = false;
    }
  }

  // What somebody has made small stays so on the next pages.
  function keepSize(whole) {
    if (whole.open) sessionStorage.removeItem(`small ${whole.id}`);
    else sessionStorage.setItem(`small ${whole.id}`, "yes");
  }

  // The login page is where an ended session's page leads to.
  function leave() {
    if (left) return;
    left = true;
    disconnect();
    location.replace(location.pathname + location.search);
  }

  // Beside a page's own business; Account security itself sends an ordinary form.
  async function decide(form, button) {
    const body = new URLSearchParams(new FormData(form));
    body.set(button.name, button.value);
    try {
      const headers = { "X-Fragment": "approvals" };
      const answer = await fetch(form.action, { method: "POST", body, headers });
      if (answer.redirected || !answer.ok) return leave();
      const text = await answer.text();
      const fresh = new DOMParser().parseFromString(text, "text/html");
      put(fresh.getElementById("approvals"));
      list.querySelector("[aria-invalid], a, summary")?.focus();
    } catch {
      form.querySelector("[data-no-answer]").hidden = false;
    }
  }

  list.addEventListener("submit", (event) => {
    if ("open" in list.dataset) return;
    event.preventDefault();
    decide(event.target, event.submitter);
  });
  // Opened by its button; what is open from the start takes no focus away.
  list.addEventListener("toggle", (event) => {
    if (event.target.matches(".approval-whole")) return keepSize(event.target);
    const byButton = event.target.open && !("open" in list.dataset);
    if (byButton) event.target.querySelector("input").focus();
  }, true);
  // The answer to the user's own form is on its way: news of what the form has done
  // must not lead the page elsewhere first. Files leave the page where it is.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    disconnect();
    retry = setTimeout(connect, LEAVING_MS);
  });
  document.addEventListener("visibilitychange", connect);
  window.addEventListener("online", connect);
  window.addEventListener("pagehide", disconnect);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
  mark();
  connect();
})();
