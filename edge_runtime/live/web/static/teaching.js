"use strict";

// Classes that a visitor teaches; what page.js has at its top level is known here.

const MOST_BUTTONS = 12;
let taughtNow = null; // what the server said last
let held = null; // the button that is held here, its class, and the server's answer to the hold

function showTeaching(state) {
  taughtNow = state;
  at("teaching").hidden = false;
  const shown = state.classes.length <= MOST_BUTTONS ? state.classes : state.classes.slice(state.network);
  const list = at("holds");
  const labels = [...list.children].map((row) => row.firstChild.dataset.class);
  if (labels.join("\n") !== shown.join("\n")) {
    list.replaceChildren(...shown.slice(0, MOST_BUTTONS).map(newHold));
  }
  if (held !== null && !held.button.isConnected) release(held.button);
  const now = state.holding;
  for (const button of document.querySelectorAll(".hold")) {
    const name = className(button);
    const ours = held !== null && held.button === button;
    button.classList.toggle("held", ours || (now !== null && now.class === name));
    button.disabled = (now !== null && !ours) || !name;
  }
  if (now) say("taught", `Taking frames of ${now.class}: ${now.photographs} of ${now.most}`);
  else if (held === null && at("taught").textContent.startsWith("Taking")) say("taught", "");
  at("undo").disabled = state.lessons === 0 || now !== null;
  const lines = [...at("report").children].map((row) => row.textContent);
  if (lines.join("\n") !== state.report.join("\n")) {
    at("report").replaceChildren(...state.report.map((line) => element("li", "", line)));
  }
  const place = element("span", "", state.lessons ? `${state.file}, its photographs in ${state.photographs}. ` : "Nothing was taught yet.");
  at("taught-file").replaceChildren(place);
  if (state.lessons) {
    const link = element("a", "", "Download the file");
    link.href = "taught.tflite";
    link.download = "";
    at("taught-file").append(link);
  }
}

function className(button) {
  return button.id === "hold-new" ? at("class-name").value.trim() : button.dataset.class;
}

function newHold(label) {
  const row = element("li");
  const button = row.appendChild(element("button", "button hold", label));
  button.type = "button";
  button.dataset.class = label;
  button.setAttribute("aria-label", `Hold to teach ${label}`);
  button.setAttribute("aria-describedby", "teaching-hint");
  listenToHold(button);
  return row;
}

function listenToHold(button) {
  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || button.disabled) return;
    button.setPointerCapture(event.pointerId);
    hold(button);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) {
    button.addEventListener(end, () => release(button));
  }
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  const holds = (event) => event.key === " " || event.key === "Enter";
  button.addEventListener("keydown", (event) => {
    if (!holds(event)) return;
    event.preventDefault();
    if (!event.repeat && !button.disabled) hold(button);
  });
  button.addEventListener("keyup", (event) => {
    if (holds(event)) release(button);
  });
}

function hold(button) {
  if (held !== null) return;
  const label = className(button);
  held = { button, label, answer: ask("teach/hold", { class: label }) };
  button.classList.add("held");
  held.answer.catch(() => {}); // whoever lets go reads it
}

async function release(button) {
  if (held === null || held.button !== button || held.letGo) return;
  held.letGo = true;
  try {
    const { hold: number } = await held.answer;
    const answer = await ask("teach/release", { hold: number });
    say("taught", `Taught ${answer.taught} with ${frames(answer.frames)}.`);
    if (button.id === "hold-new") at("class-name").value = "";
  } catch (error) {
    say("taught", error.message);
  } finally {
    held = null;
    button.classList.remove("held");
    if (taughtNow) showTeaching(taughtNow);
  }
}

async function ask(path, body) {
  let response;
  try {
    response = await fetch(path, { method: "POST", body: JSON.stringify(body) });
  } catch {
    throw new Error("the server does not answer; try again");
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  if (answer.classes) showTeaching(answer);
  return answer;
}

const frames = (count) => `${count} ${count === 1 ? "frame" : "frames"}`;

at("undo").addEventListener("click", async () => {
  try {
    const answer = await ask("teach/undo", {});
    say("taught", `Took back ${frames(answer.frames)} of ${answer.undone}.`);
  } catch (error) {
    say("taught", error.message);
  }
});
at("class-name").addEventListener("input", () => {
  at("hold-new").disabled = !at("class-name").value.trim() || (taughtNow && taughtNow.holding !== null);
});
at("new-class").addEventListener("submit", (event) => event.preventDefault());
listenToHold(at("hold-new"));
