// What a picture looks like, as edgeclf's runtime computes it: see edge_runtime/novelty/appearance.py.

// What a picture is that has less or more of a property than all that is known.
const WORDS = [
  ["darker", "brighter"],
  ["of other colours", "of other colours"],
  ["of other colours", "of other colours"],
  ["more blurred", "with more detail"],
  ["with less contrast", "with more contrast"],
];

// Returns brightness, red, blue, detail and contrast of RGB values {data, width, height}.
export function appearanceOf({ data, width, height }) {
  const sums = [0, 0, 0];
  let squares = 0;
  for (let at = 0; at < data.length; at++) {
    sums[at % 3] += data[at];
    squares += data[at] * data[at];
  }
  const [red, green, blue] = sums.map((sum) => (3 * sum) / data.length);
  const meanSquare = (red * red + green * green + blue * blue) / 3;
  const contrast = Math.sqrt(Math.max(squares / data.length - meanSquare, 0));
  const change = (apart) => changeOf(data, width, height, apart, 0) + changeOf(data, width, height, 0, apart);
  const brightness = Math.log1p((red + green + blue) / 3);
  const detail = Math.log1p(2 * change(1) - change(2));
  return [brightness, red - green, blue - green, detail, Math.log1p(contrast)];
}

// The mean absolute difference of values that are so many rows and columns apart.
function changeOf(data, width, height, rows, columns) {
  const [high, wide] = [height - rows, 3 * (width - columns)];
  if (high <= 0 || wide <= 0) return 0;
  const apart = 3 * (rows * width + columns);
  let sum = 0;
  for (let row = 0; row < high; row++) {
    const start = 3 * row * width;
    for (let at = start; at < start + wide; at++) sum += Math.abs(data[at + apart] - data[at]);
  }
  return sum / (high * wide);
}

// How far a picture is from the middle of a range where it is most; the first that is outside in words.
export function departure(appearance, { low, high }) {
  const ways = appearance.map((value, place) =>
    (2 * value - low[place] - high[place]) / (high[place] - low[place]));
  const outside = ways.findIndex((way) => Math.abs(way) > 1);
  const words = outside < 0 ? "" : WORDS[outside][ways[outside] > 0 ? 1 : 0];
  return { share: Math.max(...ways.map(Math.abs)), words };
}
