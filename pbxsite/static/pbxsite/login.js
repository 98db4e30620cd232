"use strict";

(() => {
  function label(toggle, shown) {
    const words = toggle.dataset;
    toggle.textContent = shown ? words.hide : words.show;
    toggle.setAttribute("aria-label", shown ? words.hideName : words.showName);
  }

  for (const toggle of document.querySelectorAll("[data-toggle-password]")) {
    const field = document.getElementById(toggle.dataset.togglePassword);
    toggle.hidden = false;
    label(toggle, false);
    toggle.addEventListener("click", () => {
      const shown = field.type === "text";
      field.type = shown ? "password" : "text";
      label(toggle, !shown);
      field.focus();
    });
    // A shown password would stay in the browser's list of text that was typed.
    field.form.addEventListener("submit", () => {
      field.type = "password";
    });
  }
})();
