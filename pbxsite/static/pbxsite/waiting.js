"use strict";

// Follows one login: the stream says that something changed, the page itself says what.
(() => {
  const POLL_MS = 3000;
  const SILENT_MS = 5000;
  const STREAM_TRIES = 3;
  // The fourth look is after ten seconds: a mail counts as delayed then.
  const MAIL_MS = [1000, 2000, 4000, 4000, 8000, 16000];
  const MAIL_MAX_MS = 30000;
  const ANNOUNCED_SECONDS = [300, 120, 60, 30];

  const announcer = document.getElementById("announcer");
  let stream = null;
  let failures = 0;
  let silence = 0;
  let poll = 0;
  let retry = 0;
  let mailLooks = 0;
  let mailTimer = 0;
  let fetching = false;
  let again = false;
  let left = false;
  let clockOffset = 0;
  let secondsBefore = Infinity;

  const page = () => document.getElementById("wait");
  const isPending = () => page().dataset.state === "pending";

  function leave(action) {
    if (left) return;
    left = true;
    stop();
    action();
  }

  function stop() {
    if (stream) stream.close();
    stream = null;
    clearTimeout(silence);
    clearTimeout(mailTimer);
    clearInterval(poll);
    poll = 0;
  }

  function pollOnly() {
    stop();
    poll = setInterval(refresh, POLL_MS);
  }

  function connect() {
    if (left || !isPending()) return;
    if (stream) stream.close();
    stream = new EventSource(page().dataset.eventsUrl);
    stream.addEventListener("open", () => {
      failures = 0;
      clearInterval(poll);
      poll = 0;
      refresh();
      // The state comes first on a stream; without it a proxy holds the bytes back.
      clearTimeout(silence);
      silence = setTimeout(pollOnly, SILENT_MS);
    });
    stream.addEventListener("state", () => {
      clearTimeout(silence);
      refresh();
    });
    stream.addEventListener("error", streamFailed);
  }

  function streamFailed() {
    failures += 1;
    const closed = stream && stream.readyState === EventSource.CLOSED;
    if (failures >= STREAM_TRIES) {
      pollOnly();
    } else if (closed) {
      setTimeout(connect, POLL_MS);
    }
  }

  async function refresh() {
    if (left) return;
    if (fetching) {
      again = true;
      return;
    }
    fetching = true;
    try {
      await readPage();
    } catch {
      // No network, or a server in trouble.
      clearTimeout(retry);
      retry = setTimeout(refresh, POLL_MS);
    } finally {
      fetching = false;
      watchMail();
      if (again) {
        again = false;
        refresh();
      }
    }
  }

  async function readPage() {
    const answer = await fetch(location.href, {
      cache: "no-store",
      credentials: "same-origin",
      redirect: "manual",
    });
    // Followed here, what the other page says would be shown to nobody.
    if (answer.type === "opaqueredirect") {
      leave(() => location.reload());
      return;
    }
    if (answer.status >= 500 || answer.status === 429) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = fresh.getElementById("wait");
    if (next) show(next, fresh.title);
    else leave(() => location.reload());
  }

  function show(next, title) {
    const state = next.dataset.state;
    if (state !== page().dataset.state) showState(next, title);
    else if (state === "pending" && next.dataset.mail !== page().dataset.mail) {
      showMail(next);
    }
  }

  function showState(next, title) {
    page().replaceWith(document.adoptNode(next));
    document.title = title;
    const heading = page().querySelector("h1");
    heading.tabIndex = -1;
    heading.focus();
    announce(page().querySelector("[data-announce]"));
    if (!isPending()) stop();
    goOn();
  }

  function showMail(next) {
    const fresh = next.querySelector("#mail-state");
    const shown = document.getElementById("mail-state");
    if (!fresh || !shown) return;
    page().dataset.mail = next.dataset.mail;
    shown.replaceWith(document.adoptNode(fresh));
    announce(fresh.querySelector("p"));
    startResendWait();
  }

  // The stream tells of decisions only; the mail's fate is asked for, ever less often.
  function watchMail() {
    clearTimeout(mailTimer);
    if (left || !isPending() || !/^(on_its_way|delayed|refused) /.test(page().dataset.mail)) return;
    mailTimer = setTimeout(() => {
      mailLooks += 1;
      refresh();
    }, MAIL_MS[mailLooks] ?? MAIL_MAX_MS);
  }

  function announce(element) {
    if (element) announcer.textContent = element.textContent.trim();
  }

  // Once for each login: should the server send us back here, the button remains.
  function goOn() {
    const form = document.getElementById("continue");
    const mark = `continued ${page().dataset.expires}`;
    if (!form || sessionStorage.getItem(mark)) return;
    sessionStorage.setItem(mark, "yes");
    leave(() => form.submit());
  }

  function readClock() {
    const now = Date.parse(page().dataset.now);
    clockOffset = Number.isNaN(now) ? 0 : now - Date.now();
  }

  function secondsLeft() {
    const end = Date.parse(page().dataset.expires);
    return Math.max(0, Math.ceil((end - Date.now() - clockOffset) / 1000));
  }

  function clockText(seconds) {
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }

  function tick() {
    const shown = document.getElementById("countdown");
    if (left || !shown || !isPending()) return;
    const seconds = secondsLeft();
    shown.textContent = shown.dataset.text.replace("{time}", clockText(seconds));
    const step = ANNOUNCED_SECONDS.find((s) => seconds <= s && s < secondsBefore);
    if (step && secondsBefore !== Infinity) announce(shown);
    if (seconds === 0 && secondsBefore !== 0) setTimeout(refresh, 1000);
    secondsBefore = seconds;
  }

  function startResendWait() {
    const button = document.querySelector("#send-again [data-wait]");
    if (!button) return;
    const end = Date.now() + Number(button.dataset.wait) * 1000;
    const label = button.textContent.trim();
    const timer = setInterval(() => {
      const seconds = Math.ceil((end - Date.now()) / 1000);
      button.disabled = seconds > 0;
      button.textContent = seconds > 0 ? `${label} (${seconds})` : label;
      if (seconds <= 0 || !button.isConnected) clearInterval(timer);
    }, 500);
  }

  function wake() {
    if (left || document.visibilityState !== "visible" || !isPending()) return;
    failures = 0;
    connect();
    refresh();
  }

  if (!page()) return;
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
  document.addEventListener("visibilitychange", wake);
  window.addEventListener("online", wake);
  // The form's own POST must not be overtaken by a reload of this page.
  document.addEventListener("submit", () => leave(() => {}));
  readClock();
  tick();
  setInterval(tick, 1000);
  startResendWait();
  watchMail();
  connect();
  goOn();
})();
