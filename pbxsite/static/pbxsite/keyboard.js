"use strict";

// Some of the theme's controls answer the mouse alone; here they answer keys as well,
// and screen readers hear what its pages are made of.
(() => {
  const NATIVE = "a[href], button, input, label, select, summary, textarea";
  const CONTROLS = "[x-on\\:click]";
  const words = document.currentScript.dataset;

  function isDeaf(control) {
    return control.closest(".cursor-pointer") && !control.matches(NATIVE);
  }

  function teach(control) {
    control.tabIndex = 0;
    control.setAttribute("role", "button");
    // An icon of the theme is a word that its font draws.
    if (control.matches(".material-symbols-outlined")) {
      control.setAttribute("aria-label", words.navigation);
    }
  }

  function enter(control) {
    const menu = control.parentElement.querySelector(":scope > nav");
    if (menu) setTimeout(() => menu.querySelector("a")?.focus(), 50);
  }

  function press(event) {
    const control = event.target;
    if (!["Enter", " "].includes(event.key) || !control.matches(CONTROLS)) return;
    if (!isDeaf(control)) return;
    event.preventDefault();
    control.click();
    enter(control);
  }

  // A button of icons alone would lose its name with them.
  function isTheOnlyName(icon) {
    const control = icon.closest("a[href], button, [role=button]");
    if (!control || control.ariaLabel || control.title) return false;
    const icons = [...control.querySelectorAll(".material-symbols-outlined")];
    const drawn = icons.map((each) => each.textContent.trim()).join("");
    return drawn === control.textContent.replace(/\s/g, "");
  }

  // The theme's icons are words that its font draws: nobody should hear them.
  function hideIcons(root) {
    for (const icon of root.querySelectorAll(".material-symbols-outlined")) {
      if (icon.hasAttribute("role") || isTheOnlyName(icon)) continue;
      icon.setAttribute("aria-hidden", "true");
    }
  }

  // The theme has no landmark for a page's own part.
  function markMain() {
    if (!document.querySelector("main")) {
      document.getElementById("content")?.setAttribute("role", "main");
    }
  }

  [...document.querySelectorAll(CONTROLS)].filter(isDeaf).forEach(teach);
  document.addEventListener("keydown", press);
  markMain();
  hideIcons(document);
  new MutationObserver((changes) => {
    for (const { target } of changes) hideIcons(target);
  }).observe(document.body, { childList: true, subtree: true });
})();
