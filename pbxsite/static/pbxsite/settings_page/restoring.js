// Fills a field with what it was before, or with one side of a conflict.

import { reveal } from "./folds.js";
import { form } from "./form.js";

export function offerRestoring() {
  for (const link of form.querySelectorAll("[data-restore]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      fill(link.dataset.restore, link.dataset.value).focus();
    });
  }
}

export function followChoices() {
  for (const box of form.querySelectorAll("[data-conflict]")) {
    box.addEventListener("change", (event) => {
      fill(box.dataset.conflict, event.target.dataset.value);
    });
  }
}

// A value as it is posted: a switch's is True or False.
function fill(name, value) {
  const field = form.elements[name];
  const target = field instanceof RadioNodeList ? radioOf(field, value) : field;
  if (target.matches("[type=radio]")) target.checked = true;
  else if (target.matches("[type=checkbox]")) target.checked = isOn(value);
  else target.value = value;
  reveal(target);
  for (const kind of ["input", "change"]) {
    target.dispatchEvent(new Event(kind, { bubbles: true }));
  }
  return target;
}

function radioOf(list, value) {
  return [...list].find((radio) => radio.value === value) ?? list[0];
}

function isOn(value) {
  return value === "True" || value === "on";
}
