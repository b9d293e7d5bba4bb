/** Bytes of images made by hand, for what no encoder writes. */
import { crc32, deflateSync } from 'node:zlib';

/** [height, width, 3]: four coloured quarters under two gradients, so that every turn and mirroring shows. */
export function scene(width: number, height: number): Buffer {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const right = x * 2 >= width;
      const below = y * 2 >= height;
      const at = (y * width + x) * 3;
      pixels[at] = (right ? 200 : 40) + Math.floor((50 * y) / height);
      pixels[at + 1] = (below ? 180 : 30) + Math.floor((60 * x) / width);
      pixels[at + 2] = right !== below ? 210 : 60;
    }
  }
  return pixels;
}

/** Stores upright pixels [height, width, 3] so that a reader who applies `orientation` (EXIF, 1 to 8) gets them back. */
export function orient(
  pixels: Buffer,
  width: number,
  height: number,
  orientation: number,
): { pixels: Buffer; width: number; height: number } {
  const swapped = orientation >= 5;
  const storedWidth = swapped ? height : width;
  const storedHeight = swapped ? width : height;
  const stored = Buffer.alloc(pixels.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // EXIF 2.32, tag 0x0112: where the stored row 0 and column 0 lie in the upright image.
      const mirroredX = width - 1 - x;
      const mirroredY = height - 1 - y;
      const column = [x, mirroredX, mirroredX, x, y, y, mirroredY, mirroredY][orientation - 1]!;
      const row = [y, y, mirroredY, mirroredY, x, mirroredX, mirroredX, x][orientation - 1]!;
      pixels.copy(stored, (row * storedWidth + column) * 3, (y * width + x) * 3, (y * width + x) * 3 + 3);
    }
  }
  return { pixels: stored, width: storedWidth, height: storedHeight };
}

export function truncate(bytes: Buffer, percent: number): Buffer {
  return bytes.subarray(0, Math.floor((bytes.length * percent) / 100));
}

function pngChunk(type: string, data: Uint8Array): Buffer {
  const chunk = Buffer.alloc(12 + data.length);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write(type, 4, 'latin1');
  chunk.set(data, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length);
  return chunk;
}

/** A PNG of any header around deflated data. Colour type 0 is grey, 2 is RGB. */
export function png(
  width: number,
  height: number,
  colourType: number,
  deflated: Uint8Array,
  extra: readonly (readonly [string, Uint8Array])[] = [],
  bits = 8,
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([bits, colourType, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    pngChunk('IHDR', header),
    ...extra.map(([type, data]) => pngChunk(type, data)),
    pngChunk('IDAT', deflated),
    pngChunk('IEND', new Uint8Array(0)),
  ]);
}

/** A whole PNG of unfiltered rows. */
export function zlibPng(
  width: number,
  height: number,
  colourType: number,
  pixels: Buffer,
  extra: readonly (readonly [string, Uint8Array])[] = [],
  bits = 8,
): Buffer {
  const rowBytes = pixels.length / height;
  const rows = Buffer.alloc((rowBytes + 1) * height);
  for (let y = 0; y < height; y++)
    pixels.copy(rows, y * (rowBytes + 1) + 1, y * rowBytes, (y + 1) * rowBytes);
  return png(width, height, colourType, deflateSync(rows, { level: 9 }), extra, bits);
}

/** An uncompressed RGB TIFF with a directory per page; `claimed` sizes lie in the header. */
export function rgbTiff(
  pages: readonly Buffer[],
  width: number,
  height: number,
  littleEndian: boolean,
  claimedWidth = width,
  claimedHeight = height,
): Buffer {
  const entries = 10;
  const pageBytes = 2 + entries * 12 + 4 + 6 + width * height * 3;
  const file = Buffer.alloc(8 + pages.length * pageBytes);
  const u16 = (value: number, at: number): number =>
    littleEndian ? file.writeUInt16LE(value, at) : file.writeUInt16BE(value, at);
  const u32 = (value: number, at: number): number =>
    littleEndian ? file.writeUInt32LE(value, at) : file.writeUInt32BE(value, at);
  file.write(littleEndian ? 'II' : 'MM', 'latin1');
  u16(42, 2);
  u32(8, 4);
  for (const [index, pixels] of pages.entries()) {
    const start = 8 + index * pageBytes;
    const bits = start + 2 + entries * 12 + 4;
    const data = bits + 6;
    const short = 3;
    const long = 4;
    const tags: [tag: number, type: number, count: number, value: number][] = [
      [256, long, 1, claimedWidth],
      [257, long, 1, claimedHeight],
      [258, short, 3, bits],
      [259, short, 1, 1],
      [262, short, 1, 2],
      [273, long, 1, data],
      [277, short, 1, 3],
      [278, long, 1, claimedHeight],
      [
        279,
        long,
        1,
        claimedWidth * claimedHeight * 3 > 2 ** 32 - 1 ? 2 ** 32 - 1 : claimedWidth * claimedHeight * 3,
      ],
      [284, short, 1, 1],
    ];
    u16(tags.length, start);
    for (const [entry, [tag, type, count, value]] of tags.entries()) {
      const at = start + 2 + entry * 12;
      u16(tag, at);
      u16(type, at + 2);
      u32(count, at + 4);
      if (type === short && count === 1) u16(value, at + 8);
      else u32(value, at + 8);
    }
    u32(index + 1 < pages.length ? start + pageBytes : 0, start + 2 + entries * 12);
    for (let c = 0; c < 3; c++) u16(8, bits + c * 2);
    pixels.copy(file, data);
  }
  return file;
}

/** `jpeg` with another size in its baseline frame header. */
export function jpegHeader(jpeg: Buffer, width: number, height: number): Buffer {
  const copy = Buffer.from(jpeg);
  const frame = copy.indexOf(Buffer.from([0xff, 0xc0]));
  copy.writeUInt16BE(height, frame + 5);
  copy.writeUInt16BE(width, frame + 7);
  return copy;
}

/** A GIF of one frame whose data end at once. */
export function gifHeader(width: number, height: number): Buffer {
  const file = Buffer.alloc(6 + 7 + 6 + 10 + 6);
  file.write('GIF89a', 'latin1');
  file.writeUInt16LE(width, 6);
  file.writeUInt16LE(height, 8);
  file[10] = 0x80;
  file.set([255, 255, 255], 16);
  file[19] = 0x2c;
  file.writeUInt16LE(width, 24);
  file.writeUInt16LE(height, 26);
  file.set([2, 2, 0x4c, 0x01, 0, 0x3b], 29);
  return file;
}

/** A lossless WebP whose data end after its header; sides up to 16384. */
export function webpHeader(width: number, height: number): Buffer {
  const file = Buffer.alloc(20 + 20);
  file.write('RIFF', 0, 'latin1');
  file.writeUInt32LE(file.length - 8, 4);
  file.write('WEBPVP8L', 8, 'latin1');
  file.writeUInt32LE(file.length - 20, 16);
  file[20] = 0x2f;
  // 14 bits of width - 1, 14 of height - 1, one of alpha, three of version.
  file.writeUInt32LE((((width - 1) | ((height - 1) << 14)) >>> 0) % 2 ** 28, 21);
  return file;
}

/** `jpeg`, which starts with a JFIF segment, claiming another major version. */
export function withJfifVersion(jpeg: Buffer, major: number): Buffer {
  const copy = Buffer.from(jpeg);
  copy[11] = major;
  return copy;
}

/** `jpeg` with another last spectral coefficient in its first scan; 63 is the only right one in a sequential JPEG. */
export function withScanEnd(jpeg: Buffer, last: number): Buffer {
  const copy = Buffer.from(jpeg);
  const scan = copy.indexOf(Buffer.from([0xff, 0xda]));
  copy[scan + 2 + copy.readUInt16BE(scan + 2) - 2] = last;
  return copy;
}
