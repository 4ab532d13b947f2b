// From a picture to the model's input, bit for bit as edgeclf's `preprocess` does it. The browser's own
// resize is not used: it differs from browser to browser.
//
// An image is {data, width, height}: RGB bytes, row by row.

const ONE = 256; // of a weight or a row between the two passes: 8 bits behind the point

// Returns an image without the alpha channel of an ImageData.
export function rgbOf({ data, width, height }) {
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = data[from];
    rgb[to + 1] = data[from + 1];
    rgb[to + 2] = data[from + 2];
  }
  return { data: rgb, width, height };
}

// Returns the image at the model's input size; the rule is stretch, crop or pad.
export function preprocess(image, [height, width], rule) {
  if (rule === "crop") return resize(crop(image, [height, width]), height, width);
  if (rule !== "pad") return resize(image, height, width);
  const scale = Math.min(height / image.height, width / image.width);
  const inner = {
    height: clamp(roundHalfEven(image.height * scale), height),
    width: clamp(roundHalfEven(image.width * scale), width),
  };
  const resized = resize(image, inner.height, inner.width);
  const padded = new Uint8Array(width * height * 3);
  const top = (height - inner.height) >> 1;
  const left = (width - inner.width) >> 1;
  for (let row = 0; row < inner.height; row++) {
    const from = row * inner.width * 3;
    const line = resized.data.subarray(from, from + inner.width * 3);
    padded.set(line, ((top + row) * width + left) * 3);
  }
  return { data: padded, width, height };
}

function crop(image, [height, width]) {
  const scale = Math.min(image.height / height, image.width / width);
  const kept = {
    height: clamp(roundHalfEven(height * scale), image.height),
    width: clamp(roundHalfEven(width * scale), image.width),
  };
  const top = (image.height - kept.height) >> 1;
  const left = (image.width - kept.width) >> 1;
  const data = new Uint8Array(kept.width * kept.height * 3);
  for (let row = 0; row < kept.height; row++) {
    const from = ((top + row) * image.width + left) * 3;
    data.set(image.data.subarray(from, from + kept.width * 3), row * kept.width * 3);
  }
  return { data, ...kept };
}

// Halves until less than twice the size, then interpolates.
export function resize(image, height, width) {
  let { height: h, width: w } = image;
  while (h >= 2 * height && w >= 2 * width) {
    [h, w] = [h >> 1, w >> 1];
    image = interpolate(image, h, w);
  }
  return interpolate(image, height, width);
}

// OpenCV's INTER_LINEAR_EXACT: a pass along the rows, one along the columns, in integers.
export function interpolate(image, height, width) {
  if (image.height === height && image.width === width) return image;
  const { data } = image;
  const across = taps(image.width, width);
  const down = taps(image.height, height);
  const size = width * 3;
  const lines = new Map(); // rows of the source, already resized across
  const line = (row) => {
    if (!lines.has(row)) lines.set(row, resizedLine(data, row * image.width * 3, across, width));
    return lines.get(row);
  };
  const result = new Uint8Array(height * size);
  for (let row = 0; row < height; row++) {
    const first = down.first[row];
    for (const known of lines.keys()) if (known < first) lines.delete(known);
    const upper = line(first);
    const weight = down.weight[row];
    const at = row * size;
    if (weight === 0) {
      for (let i = 0; i < size; i++) result[at + i] = (upper[i] + 128) >> 8;
      continue;
    }
    const lower = line(first + 1);
    for (let i = 0; i < size; i++) {
      result[at + i] = (upper[i] * (ONE - weight) + lower[i] * weight + 32768) >>> 16;
    }
  }
  return { data: result, width, height };
}

function resizedLine(data, start, { first, weight }, width) {
  const line = new Uint16Array(width * 3);
  for (let x = 0, to = 0; x < width; x++, to += 3) {
    const from = start + first[x] * 3;
    const w = weight[x];
    const v = ONE - w;
    for (let channel = 0; channel < 3; channel++) {
      const right = w === 0 ? 0 : data[from + channel + 3] * w;
      line[to + channel] = data[from + channel] * v + right;
    }
  }
  return line;
}

// Returns for each place of the result the first of the two places that it lies between, and the
// weight of the second in 256ths. Outside of the first and the last place it is theirs alone.
function taps(from, to) {
  const scale = 1 / (to / from);
  const first = new Int32Array(to);
  const weight = new Int32Array(to);
  for (let place = 0; place < to; place++) {
    const exact = scale * (place + 0.5) - 0.5;
    const floor = Math.floor(exact);
    if (floor < 0 || from === 1) continue;
    first[place] = Math.min(floor, from - 1);
    if (floor < from - 1) weight[place] = roundHalfEven((exact - floor) * ONE);
  }
  return { first, weight };
}

function clamp(size, most) {
  return Math.max(1, Math.min(most, size));
}

// As Python and OpenCV round.
function roundHalfEven(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest > 0.5 ? floor + 1 : floor;
  return floor % 2 ? floor + 1 : floor;
}
