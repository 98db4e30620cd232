"use strict";

// Shows every time in the time zone of the reader, and names the zone where there is room;
// without scripts the server's stays.
(() => {
  const language = document.documentElement.lang;
  const shapes = {
    full: {
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      timeZoneName: "short",
    },
    time: { timeStyle: "short" },
    date: { year: "numeric", month: "2-digit", day: "2-digit" },
  };

  function localize(element) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) return;
    const shape = shapes[element.dataset.shape] || shapes.full;
    element.textContent = new Intl.DateTimeFormat(language, shape).format(moment);
  }

  const localizeAll = (root) => root.querySelectorAll("time[datetime]").forEach(localize);

  localizeAll(document);
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) {
      for (const node of addedNodes) {
        if (node.nodeType === Node.ELEMENT_NODE) localizeAll(node);
      }
    }
  }).observe(document.body, { childList: true, subtree: true });
})();
