// What single fields do while they are filled in.

import { form } from "./form.js";

const USUAL_PORTS = { starttls: "587", tls: "465", none: "25" };

// Another security takes its usual port along, unless another one was entered.
export function followSecurity() {
  const { smtp_port: port, smtp_security: security } = form.elements;
  let former = security.value;
  security.addEventListener("change", () => {
    if (port.value === USUAL_PORTS[former]) port.value = USUAL_PORTS[security.value];
    former = security.value;
  });
}

export function showWarnings() {
  for (const warning of form.querySelectorAll("[data-warn-unless]")) {
    const field = document.getElementById(warning.dataset.of);
    field.addEventListener("input", () => {
      const value = field.value.trim();
      warning.hidden = value === "" || value === warning.dataset.warnUnless;
    });
  }
}

export function showOffers() {
  for (const offer of form.querySelectorAll("[data-shown-with]")) {
    const box = document.getElementById(offer.dataset.shownWith);
    const follow = () => {
      offer.hidden = !box.checked;
    };
    follow();
    box.addEventListener("change", follow);
  }
}

export function fillByButtons() {
  for (const button of form.querySelectorAll("[data-fill]")) {
    const field = document.getElementById(button.dataset.fill);
    const follow = () => {
      button.hidden = field.value === button.dataset.value;
    };
    follow();
    field.addEventListener("input", follow);
    button.addEventListener("click", () => {
      fill(document.getElementById(button.dataset.fillToo), button.dataset.valueToo);
      fill(field, button.dataset.value);
      field.focus();
    });
  }
}

function fill(field, value) {
  if (!field) return;
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
