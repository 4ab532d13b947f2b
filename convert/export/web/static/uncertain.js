// Pictures of which the model is not sure, for the next training.

import { zipOf } from "./zip.js";
import { at, element } from "./view.js";

const SURE = 0.6;
const APART_MS = 1000;
const MOST = 60;

let kept = []; // {name, blob, url}
let latest = -Infinity;
let number = 0;

// Keeps the picture on `canvas` if its answer is uncertain.
export async function keepUncertain(answer, canvas) {
  const now = performance.now();
  const isOn = at("keep").getAttribute("aria-checked") === "true";
  const isSure = answer.label !== "unknown" && answer.score >= SURE;
  if (!isOn || isSure || now - latest < APART_MS) return;
  latest = now;
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });
  const [best] = answer.top[0];
  const name = `${String(++number).padStart(4, "0")}-${best.replace(/[^\p{L}\p{N}]+/gu, "_")}.jpg`;
  kept.push({ name, blob, url: URL.createObjectURL(blob) });
  if (kept.length > MOST) URL.revokeObjectURL(kept.shift().url);
  show();
}

function show() {
  at("kept").replaceChildren(...kept.map(({ name, url }) => {
    const link = element("a");
    link.href = url;
    link.download = name;
    const image = link.appendChild(element("img"));
    image.src = url;
    image.alt = "";
    link.append(name);
    const row = element("li");
    row.append(link);
    return row;
  }).reverse());
  at("download").hidden = kept.length === 0;
}

at("keep").addEventListener("click", () => {
  const isOn = at("keep").getAttribute("aria-checked") === "true";
  at("keep").setAttribute("aria-checked", String(!isOn));
});

at("download").addEventListener("click", async () => {
  const url = URL.createObjectURL(await zipOf(kept));
  const link = element("a");
  link.href = url;
  link.download = "uncertain.zip";
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
});
