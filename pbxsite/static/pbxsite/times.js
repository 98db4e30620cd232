"use strict";

// Shows every time in the time zone of the reader, whom a full one tells the zone, in the
// form of the server (pbxsite/formats); without scripts the server's stays.
(() => {
  const language = document.documentElement.lang;
  const days = { en: "{year}-{month}-{day}", de: "{day}.{month}.{year}" };
  const day = days[language] || days.en;
  const shapes = { full: `${day} {hour}:{minute} {timeZoneName}`, time: "{hour}:{minute}" };
  const format = new Intl.DateTimeFormat(language, {
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    timeZoneName: "short",
  });

  function localize(element) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) return;
    const parts = Object.fromEntries(
      format.formatToParts(moment).map(({ type, value }) => [type, value]),
    );
    const shape = shapes[element.dataset.shape] || shapes.full;
    element.textContent = shape.replace(/{(\w+)}/g, (_, part) => parts[part]);
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
