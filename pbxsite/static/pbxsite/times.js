"use strict";

// Shows every time in the time zone of the reader; without scripts the server's stays.
(() => {
  const language = document.documentElement.lang;
  const shapes = {
    full: { dateStyle: "medium", timeStyle: "short" },
    time: { timeStyle: "short" },
    date: { dateStyle: "medium" },
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
