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
  const brightness = Math.log(4 + (red + green + blue) / 3);
  const detail = Math.log(1 + meanLaplacian(data, width, height));
  return [brightness, red - green, blue - green, detail, Math.log(4 + contrast)];
}

// The mean absolute Laplacian of green; beyond the edge stands what is before it, as in OpenCV.
function meanLaplacian(data, width, height) {
  const green = (row, column) => data[3 * (row * width + column) + 1];
  const mirrored = (place, size) => (size === 1 ? 0 : place < 0 ? 1 : place < size ? place : size - 2);
  let sum = 0;
  for (let row = 0; row < height; row++) {
    const [above, below] = [mirrored(row - 1, height), mirrored(row + 1, height)];
    for (let column = 0; column < width; column++) {
      const [left, right] = [mirrored(column - 1, width), mirrored(column + 1, width)];
      const around = green(above, column) + green(below, column) + green(row, left) + green(row, right);
      sum += Math.abs(around - 4 * green(row, column));
    }
  }
  return sum / (width * height);
}

// How far a picture is from the middle of a range where it is most; the first that is outside in words.
export function departure(appearance, { low, high }) {
  const ways = appearance.map((value, place) =>
    (2 * value - low[place] - high[place]) / (high[place] - low[place]));
  const outside = ways.findIndex((way) => Math.abs(way) > 1);
  const words = outside < 0 ? "" : WORDS[outside][ways[outside] > 0 ? 1 : 0];
  return { share: Math.max(...ways.map(Math.abs)), words };
}
