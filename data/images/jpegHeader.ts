/** What a JPEG's header says. */
export interface JpegHeader {
  /** Pixels as stored, before the orientation is applied. */
  width: number;
  height: number;
  /** EXIF orientation, 1 (upright) to 8. */
  orientation: number;
}

/**
 * Reads the size and orientation of an RGB or greyscale JPEG from its markers, up to the first frame header.
 *
 * sharp's own `metadata()` opens the image a second time, a quarter of the whole decode of a small JPEG. Whatever is
 * unusual (other component counts, a height given later, damage) returns undefined, and is left to it.
 */
export function readJpegHeader(body: Uint8Array): JpegHeader | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let orientation = 1;
  let at = 2;
  while (at + 4 <= body.length && body[at] === 0xff) {
    const marker = body[at + 1]!;
    const lengthBytes = view.getUint16(at + 2);
    const end = at + 2 + lengthBytes;
    if (lengthBytes < 2 || end > body.length) return undefined;
    if (marker === 0xe1) {
      const found = readOrientation(new DataView(body.buffer, body.byteOffset + at + 4, lengthBytes - 2));
      if (found === undefined) return undefined;
      orientation = found || orientation;
    } else if (marker >= 0xc0 && marker <= 0xc2) {
      // Baseline, extended and progressive frames: length, precision, height, width, components.
      if (lengthBytes < 8 || view.getUint8(at + 4) !== 8) return undefined;
      const height = view.getUint16(at + 5);
      const width = view.getUint16(at + 7);
      const components = view.getUint8(at + 9);
      if (width === 0 || height === 0 || (components !== 1 && components !== 3)) return undefined;
      return { width, height, orientation };
    } else if (!isHeaderSegment(marker)) {
      return undefined;
    }
    at = end;
  }
  return undefined;
}

/** DHT, DQT, DRI, APPn and comments: segments that may come before the frame header. */
function isHeaderSegment(marker: number): boolean {
  return (
    marker === 0xc4 ||
    marker === 0xdb ||
    marker === 0xdd ||
    (marker >= 0xe0 && marker <= 0xef) ||
    marker === 0xfe
  );
}

/** The orientation in an APP1 segment's body: 0 where it has none, undefined where it is malformed. */
function readOrientation(segment: DataView): number | undefined {
  const isExif = segment.byteLength >= 6 && segment.getUint32(0) === 0x45786966 && segment.getUint16(4) === 0;
  if (!isExif) return 0;
  if (segment.byteLength < 14) return undefined;
  const tiff = new DataView(segment.buffer, segment.byteOffset + 6, segment.byteLength - 6);
  const order = tiff.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return undefined;
  const little = order === 0x4949;
  const directory = tiff.getUint32(4, little);
  if (directory + 2 > tiff.byteLength) return undefined;
  const entries = tiff.getUint16(directory, little);
  if (directory + 2 + entries * 12 > tiff.byteLength) return undefined;
  for (let index = 0; index < entries; index++) {
    const entry = directory + 2 + index * 12;
    if (tiff.getUint16(entry, little) !== 0x0112) continue;
    // One SHORT, the only form there is in practice.
    if (tiff.getUint16(entry + 2, little) !== 3 || tiff.getUint32(entry + 4, little) !== 1) return undefined;
    const value = tiff.getUint16(entry + 8, little);
    return value >= 1 && value <= 8 ? value : undefined;
  }
  return 0;
}
