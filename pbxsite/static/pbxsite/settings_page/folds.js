// Folds away what the chosen authentication type does not need.

import { form } from "./form.js";

export function foldByType() {
  for (const radio of form.querySelectorAll("[data-methods]")) {
    radio.addEventListener("change", fold);
  }
  // Browsers choose again what was chosen when one comes back to the page.
  window.addEventListener("pageshow", fold);
}

function fold() {
  const used = chosenMethods();
  for (const part of form.querySelectorAll("details[data-method]")) {
    const isUsed = used.includes(part.dataset.method);
    const isNeeded = part.querySelector(".row-faulty, [data-in-use]") !== null;
    part.open = isUsed || isNeeded;
    part.querySelector(":scope > summary .unused").hidden = isUsed;
  }
}

function chosenMethods() {
  const chosen = form.querySelector("[data-methods]:checked");
  return chosen ? chosen.dataset.methods.split(" ") : [];
}

export function reveal(target) {
  for (let part = target?.closest("details"); part; ) {
    part.open = true;
    part = part.parentElement.closest("details");
  }
}

// A link to a field opens the folds that it lies in, and leads into it.
export function openLinkedFields() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest('.settings a[href^="#"]');
    const target = link && document.getElementById(link.hash.slice(1));
    if (!target) return;
    event.preventDefault();
    reveal(target);
    const focused = target.matches("input, select, textarea, fieldset")
      ? target
      : target.querySelector("input, button");
    target.scrollIntoView({ block: "center" });
    focused.focus({ preventScroll: true });
  });
}
