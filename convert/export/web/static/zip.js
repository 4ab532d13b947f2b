// A zip of files as they are: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

const UTF8 = 1 << 11; // the names are

// Returns the files, each {name, blob}, as one Blob.
export async function zipOf(files) {
  const parts = [];
  const directory = [];
  let at = 0;
  for (const { name, blob } of files) {
    const content = new Uint8Array(await blob.arrayBuffer());
    const bytes = new TextEncoder().encode(name);
    const shared = [[20, 2], [UTF8, 2], [0, 2], [0, 2], [33, 2], [crc32(content), 4],
      [content.length, 4], [content.length, 4], [bytes.length, 2], [0, 2]];
    const header = record(0x04034b50, shared);
    directory.push(record(0x02014b50, [[20, 2], ...shared, [0, 2], [0, 2], [0, 2], [0, 4], [at, 4]]), bytes);
    parts.push(header, bytes, content);
    at += header.length + bytes.length + content.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = record(0x06054b50, [[0, 2], [0, 2], [files.length, 2], [files.length, 2], [size, 4], [at, 4], [0, 2]]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

// Little-endian numbers, each with its width in bytes, behind a signature.
function record(signature, fields) {
  const all = [[signature, 4], ...fields];
  const view = new DataView(new ArrayBuffer(all.reduce((sum, [, width]) => sum + width, 0)));
  let at = 0;
  for (const [value, width] of all) {
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += width;
  }
  return new Uint8Array(view.buffer);
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? 0xedb88320 ^ (byte >>> 1) : byte >>> 1;
  return byte;
});

export function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}
