// Fills a field with what it was before, with one side of a conflict, or with what others
// have saved meanwhile.

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
    const name = box.dataset.conflict;
    box.addEventListener("change", (event) => fill(name, event.target.dataset.value));
    form.addEventListener("input", (event) => {
      if (event.isTrusted && event.target.name === name) takeForMine(box, event.target);
    });
  }
}

// What is entered after the choice is a value of one's own; a switch has but two.
function takeForMine(box, field) {
  const sides = [...box.querySelectorAll("input")];
  if (field.type === "checkbox") {
    sides.find((side) => isOn(side.dataset.value) === field.checked).checked = true;
    return;
  }
  const mine = sides.at(-1);
  mine.checked = true;
  mine.dataset.value = field.value;
  mine.closest("label").querySelector(".side-value").textContent = wordsOf(field);
}

function wordsOf(field) {
  if (field.type === "radio") return field.labels[0].textContent;
  return field.selectedOptions?.[0].textContent ?? field.value;
}

// A value as it is posted: a switch's is True or False.
export function fill(name, value) {
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
