// What the page shows of an answer.

export const at = (id) => document.getElementById(id);
export const percent = (share) => `${(100 * share).toFixed(0)} %`;

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function say(id, text) {
  const node = at(id);
  if (node.textContent !== text) node.textContent = text;
}

// Why the label is `unknown`; empty where nothing was refused.
export function why({ novelty_reason: reason, refused }) {
  if (reason) return reason;
  if (!refused) return "";
  const exact = (share) => `${(100 * share).toFixed(1)} %`;
  return `${refused.label} ${exact(refused.score)} is below its threshold ${exact(refused.threshold)}`;
}

export function showBars(list, top, label, most = 6) {
  const shown = top.slice(0, most);
  while (list.children.length > shown.length) list.lastChild.remove();
  shown.forEach(([name, score], place) => {
    const row = list.children[place] || list.appendChild(newBar());
    row.classList.toggle("believed", name === label);
    row.children[0].textContent = name;
    row.children[1].textContent = percent(score);
    row.children[2].firstChild.style.width = `${100 * score}%`;
  });
}

function newBar() {
  const row = element("li");
  const track = element("div", "track");
  track.append(element("div", "fill"));
  row.append(element("span"), element("span", "score"), track);
  return row;
}

// Draws a heatmap small; the style sheet enlarges it over the picture, which it lies on by `part`.
export function drawHeatmap(canvas, { values, height, width }) {
  [canvas.width, canvas.height] = [width, height];
  const image = new ImageData(width, height);
  values.forEach((share, place) => {
    image.data.set([255 * Math.min(1, 1.6 * share), 140 * share, 40 * share, 255], 4 * place);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
}
