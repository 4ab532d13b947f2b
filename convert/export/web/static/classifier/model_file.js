// What edgeclf writes behind a model: a zip whose entries are stored, among them the model's spec.

const END_SIZE = 22; // of the zip's last record, which has no comment here
const SPEC_NAME = "edgeclf.json";

// Returns the spec of a .tflite file of edgeclf, after its digest was compared.
export async function readSpec(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.byteLength - END_SIZE;
  if (end < 0 || view.getUint32(end, true) !== 0x06054b50) throw new Error("the model is cut short");
  const entries = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  let start = bytes.byteLength;
  let spec = null;
  for (let entry = 0; entry < entries; entry++) {
    const size = view.getUint32(at + 24, true);
    const nameSize = view.getUint16(at + 28, true);
    const header = view.getUint32(at + 42, true);
    const name = text(bytes.subarray(at + 46, at + 46 + nameSize));
    start = Math.min(start, header);
    if (name === SPEC_NAME) {
      const content = header + 30 + nameSize + view.getUint16(header + 28, true);
      spec = JSON.parse(text(bytes.subarray(content, content + size)));
    }
    at += 46 + nameSize + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  if (spec === null) throw new Error("the model carries no spec");
  const digest = await crypto.subtle.digest("SHA-256", bytes.subarray(0, start));
  if (hexadecimal(new Uint8Array(digest)) !== spec.flatbuffer_sha256) {
    throw new Error("the model is damaged: its SHA-256 is not the one in its spec");
  }
  return spec;
}

export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

// Returns little-endian numbers of 2 or 4 bytes as a Float32Array.
export function floatsOf(base64, width) {
  const view = new DataView(bytesOf(base64).buffer);
  const read = width === 4 ? (at) => view.getFloat32(at, true) : (at) => half(view.getUint16(at, true));
  return Float32Array.from({ length: view.byteLength / width }, (_, place) => read(width * place));
}

// A float16 (IEEE 754) by its bits.
function half(bits) {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function text(bytes) {
  return new TextDecoder().decode(bytes);
}

function hexadecimal(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
