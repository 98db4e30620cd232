// Shows how far a trial has come, step by step.

export function showStatus(box, status) {
  box.hidden = false;
  box.dataset.state = status.state;
  say(box.querySelector("[data-test-heading]"), status.heading);
  say(box.querySelector("[data-test-text]"), status.text);
  const steps = box.querySelector(".steps");
  status.steps.forEach((step, index) => showStep(steps, step, index));
}

export function giveUp(box, words) {
  showStatus(box, { state: "failed", heading: words, text: "", steps: [] });
}

export function clearSteps(box) {
  box.querySelector(".steps").replaceChildren();
}

function say(line, words) {
  line.hidden = !words;
  // Screen readers read a live region again whenever it is written to.
  if (line.textContent !== words) line.textContent = words;
}

function showStep(steps, step, index) {
  const item = steps.children[index] ?? addStep(steps);
  if (item.dataset.state === step.state) return;
  item.dataset.state = step.state;
  item.querySelector(".step-stage").textContent = step.stage;
  item.querySelector(".step-state").textContent = step.state_words;
  item.querySelector(".step-words").textContent = step.words;
  const isTimed = step.state === "done" || step.state === "failed";
  item.querySelector(".step-time").textContent = isTimed ? `${step.elapsed_ms} ms` : "";
}

function addStep(steps) {
  const template = document.getElementById("step-template");
  steps.append(template.content.cloneNode(true));
  return steps.lastElementChild;
}
