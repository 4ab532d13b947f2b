"use strict";

// Photographs that a visitor gives; what page.js has at its top level is known here.

const RESULTS = 12;

async function classifyAll(files) {
  for (const file of files) await classify(file);
}

async function classify(file) {
  const row = element("li");
  const shown = element("div");
  const answerBox = element("div");
  const plain = element("img", "plain");
  plain.src = URL.createObjectURL(file);
  plain.alt = file.name || "the photograph";
  plain.addEventListener("load", () => URL.revokeObjectURL(plain.src));
  plain.addEventListener("error", () => plain.remove());
  shown.append(plain);
  const verdict = answerBox.appendChild(element("p", "verdict", "…"));
  row.append(shown, answerBox);
  at("results").prepend(row);
  while (at("results").children.length > RESULTS) at("results").lastChild.remove();
  try {
    const answer = await send(file);
    verdict.textContent = answer.label;
    const bars = answerBox.appendChild(element("ol", "bars"));
    showBars(bars, answer.top, answer.label);
    if (why(answer)) answerBox.append(element("p", "file", why(answer)));
    if (answer.refused) answerBox.append(element("p", "file", refusal(answer.refused)));
    answerBox.append(element("p", "file", `${file.name || "pasted"}, ${answer.ms.toFixed(0)} ms`));
    if (answer.overlay) {
      const overlay = element("img", "overlay");
      overlay.src = answer.overlay;
      overlay.alt = "where the label was seen";
      shown.append(overlay);
      row.classList.add("has-overlay");
    }
  } catch (error) {
    verdict.className = "failed";
    verdict.textContent = error.message;
    answerBox.append(element("p", "file", file.name || "pasted"));
  }
}

async function send(file) {
  if (file.size > about.max_bytes) {
    throw new Error(`more than ${about.max_bytes / 1e6} MB; choose a smaller photograph`);
  }
  let response;
  try {
    response = await fetch("classify", { method: "POST", body: file });
  } catch {
    throw new Error("the server does not answer; try again");
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

for (const [button, input] of [["choose", "file"], ["take", "camera"]]) {
  at(button).addEventListener("click", () => at(input).click());
  at(input).addEventListener("change", () => {
    classifyAll([...at(input).files]);
    at(input).value = "";
  });
}
const dragging = (is) => document.body.classList.toggle("dragging", is);
addEventListener("dragover", (event) => {
  event.preventDefault();
  dragging(true);
});
addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) dragging(false);
});
addEventListener("drop", (event) => {
  event.preventDefault();
  dragging(false);
  classifyAll([...event.dataTransfer.files]);
});
addEventListener("paste", (event) => classifyAll([...event.clipboardData.files]));
