"use strict";

// Buttons that copy a field; without this script they are not there.

(() => {
  const WORDS_BACK_MS = 2000;

  for (const button of document.querySelectorAll("[data-copy]")) {
    const words = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copy);
      field.select();
      try {
        await navigator.clipboard.writeText(field.value);
      } catch {
        return; // The text is selected, ready for Ctrl-C.
      }
      button.textContent = button.dataset.done;
      setTimeout(() => {
        button.textContent = words;
      }, WORDS_BACK_MS);
    });
  }
})();
