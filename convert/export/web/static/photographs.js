// Photographs that a user gives: chosen, dropped or pasted.

import { at, drawHeatmap, element, showBars, why } from "./view.js";

const MOST_RESULTS = 60;

export function classifyWith(ask) {
  const classifyAll = async (files) => {
    for (const file of files) await classify(file, ask);
  };
  at("choose").addEventListener("click", () => at("file").click());
  at("file").addEventListener("change", () => {
    classifyAll([...at("file").files]);
    at("file").value = "";
  });
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
}

async function classify(file, ask) {
  const row = element("li");
  const shown = element("div", "shown");
  const words = element("div");
  const verdict = words.appendChild(element("p", "verdict", "…"));
  row.append(shown, words);
  at("results").prepend(row);
  while (at("results").children.length > MOST_RESULTS) at("results").lastChild.remove();
  try {
    const picture = await pixelsOf(file);
    shown.append(thumbnail(file));
    const answer = await ask("classify", { picture });
    verdict.textContent = answer.label;
    showBars(words.appendChild(element("ol", "bars")), answer.top, answer.label, 3);
    if (why(answer)) words.append(element("p", "file", why(answer)));
    words.append(element("p", "file", `${file.name || "pasted"}, ${answer.ms.toFixed(0)} ms`));
    if (answer.heatmap) drawHeatmap(shown.appendChild(element("canvas")), answer.heatmap);
  } catch (error) {
    verdict.className = "failed";
    verdict.textContent = error.message;
    words.append(element("p", "file", file.name || "pasted"));
  }
}

// Returns the pixels of a photograph as the file has them, upright by its EXIF orientation. No colour
// profile is applied: edgeclf's decoder applies none.
export async function pixelsOf(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, {
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
      imageOrientation: "from-image",
    });
  } catch {
    throw new Error("not an image that this browser reads");
  }
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

function thumbnail(file) {
  const image = element("img");
  image.src = URL.createObjectURL(file);
  image.alt = file.name || "the photograph";
  image.addEventListener("load", () => URL.revokeObjectURL(image.src));
  return image;
}
