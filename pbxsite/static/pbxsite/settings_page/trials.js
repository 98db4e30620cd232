// The page's tests: each one's row says where it is run, and shows how it goes.

import { preview } from "./changes.js";
import { clearFaults, showFaults } from "./faults.js";
import { form, get, post, values } from "./form.js";
import { sayIfOver } from "./session.js";
import { clearSteps, giveUp, showStatus } from "./trial_box.js";

const POLL_MS = 400;
const TRIAL_LIMIT_MS = 60000;

export function offerTrials() {
  for (const row of form.querySelectorAll("[data-test-url]")) offer(row);
  takeValuesToRoundTrip();
}

function offer(row) {
  const button = row.querySelector("[data-run]");
  const box = row.querySelector(".test");
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await run(row, box);
    } catch (error) {
      giveUp(box, sayIfOver(error) ? box.dataset.loggedOut : box.dataset.silent);
    }
    button.disabled = false;
    preview();
  });
  row.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("input")) return;
    event.preventDefault();
    if (!button.disabled) button.click();
  });
}

async function run(row, box) {
  clearFaults();
  clearSteps(box);
  // What others saved meanwhile is tried as well, and stands on the screen before.
  await preview();
  const response = await post(row.dataset.testUrl, {
    body: valuesFor(row),
    limit: TRIAL_LIMIT_MS,
  });
  if (response.headers.get("Content-Type").startsWith("application/x-ndjson")) {
    box.scrollIntoView({ block: "nearest" });
    return read(box, response);
  }
  const answer = await response.json();
  if (answer.faults) {
    box.hidden = true;
    return showFaults(answer.faults);
  }
  if (answer.message) return giveUp(box, answer.message);
  showStatus(box, answer);
  box.scrollIntoView({ block: "nearest" });
  return poll(box, answer);
}

// A password for a trial is no part of the form, so that nothing else sends it.
function valuesFor(row) {
  const entered = values();
  for (const input of row.querySelectorAll("input[form]")) {
    entered.set(input.name, input.value);
  }
  return entered;
}

// A worker runs it: its state is asked for until it is over.
async function poll(box, status) {
  const { url } = status;
  while (!status.is_over) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const response = await get(url);
    if (!response.ok) throw new Error(response.status);
    status = await response.json();
    showStatus(box, status);
  }
}

// The site itself runs it: each line of the answer is its state so far.
async function read(box, response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) showStatus(box, JSON.parse(line));
  }
  if (box.dataset.state === "running") throw new Error("cut off");
}

// The round trip's form stands apart, and takes along what stands on the screen.
function takeValuesToRoundTrip() {
  document.getElementById("roundtrip").addEventListener("formdata", (event) => {
    for (const [name, value] of new FormData(form)) {
      if (/^(oauth2_|pbx_domain$|opened$)/.test(name)) event.formData.set(name, value);
    }
  });
}
