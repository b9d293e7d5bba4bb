/** The formats that are decoded. `heif` is the container; AVIF is the codec in it that every build of sharp has. */
export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'heif';

/** What the first bytes say. */
export interface Sniffed {
  /** Undefined: refused. */
  format: ImageFormat | undefined;
  /** For messages: `JPEG`, `SVG`, `text`, `unknown data`. */
  name: string;
}

/** A signature: bytes at an offset (0 where it is left out). */
interface Magic {
  name: string;
  bytes: string;
  offset?: number;
  format?: ImageFormat;
}

// Latin-1 strings, one character a byte.
const MAGICS: readonly Magic[] = [
  { name: 'JPEG', bytes: '\xff\xd8\xff', format: 'jpeg' },
  // Four bytes, not all eight: the rest is there to detect damage by a text-mode transfer, which is Image.Corrupt.
  { name: 'PNG', bytes: '\x89PNG', format: 'png' },
  { name: 'WebP', bytes: 'WEBP', offset: 8, format: 'webp' },
  { name: 'GIF', bytes: 'GIF87a', format: 'gif' },
  { name: 'GIF', bytes: 'GIF89a', format: 'gif' },
  { name: 'TIFF', bytes: 'II*\0', format: 'tiff' },
  { name: 'TIFF', bytes: 'MM\0*', format: 'tiff' },
  { name: 'BigTIFF', bytes: 'II+\0', format: 'tiff' },
  { name: 'BigTIFF', bytes: 'MM\0+', format: 'tiff' },
  { name: 'PDF', bytes: '%PDF' },
  { name: 'PostScript', bytes: '%!PS' },
  { name: 'BMP', bytes: 'BM' },
  { name: 'ICO', bytes: '\0\0\x01\0' },
  { name: 'CUR', bytes: '\0\0\x02\0' },
  { name: 'Photoshop', bytes: '8BPS' },
  { name: 'JPEG XL', bytes: '\xff\x0a' },
  { name: 'JPEG XL', bytes: 'JXL \r\n\x87\n', offset: 4 },
  { name: 'JPEG 2000', bytes: 'jP  \r\n\x87\n', offset: 4 },
  { name: 'JPEG 2000', bytes: '\xff\x4f\xff\x51' },
  { name: 'OpenEXR', bytes: 'v/1\x01' },
  { name: 'a ZIP archive', bytes: 'PK\x03\x04' },
  { name: 'gzip data (SVGZ, perhaps)', bytes: '\x1f\x8b' },
  { name: 'Matroska or WebM video', bytes: '\x1a\x45\xdf\xa3' },
  { name: 'a RIFF file other than WebP', bytes: 'RIFF' },
];

/** ISO base media brands whose files hold still images (or AVIF sequences, of which the first is read). */
const HEIF_BRANDS = /^(avif|avis|mif1|msf1|mif2|heic|heix|heim|heis|hevc|hevx|hevm|hevs)$/;
const HEVC_BRANDS = /^(heic|heix|heim|heis|hevc|hevx|hevm|hevs)$/;

const SNIFFED_BYTES = 1024;

/** Judges `body` by its content. Never throws; an empty body is `unknown data`. */
export function sniff(body: Uint8Array): Sniffed {
  const headBytes = Math.min(body.byteLength, SNIFFED_BYTES);
  const head = Buffer.from(body.buffer, body.byteOffset, headBytes).toString('latin1');
  for (const { name, bytes, offset = 0, format } of MAGICS) {
    if (head.startsWith(bytes, offset)) return { format, name };
  }
  if (head.startsWith('ftyp', 4)) return sniffIsoMedia(head);
  return { format: undefined, name: sniffText(head) };
}

/** ISO base media: `size ftyp major version compatible...`; the brands tell images from video. */
function sniffIsoMedia(head: string): Sniffed {
  const sizeBytes = (head.charCodeAt(2) << 8) | head.charCodeAt(3);
  const brands = [head.slice(8, 12)];
  for (let at = 16; at + 4 <= Math.min(sizeBytes, head.length); at += 4) brands.push(head.slice(at, at + 4));
  if (!brands.some((brand) => HEIF_BRANDS.test(brand))) return { format: undefined, name: 'video' };
  if (brands.some((brand) => brand.startsWith('avi'))) return { format: 'heif', name: 'AVIF' };
  // `mif1` alone says nothing of the codec; the type of an item does.
  const isHevc = brands.some((brand) => HEVC_BRANDS.test(brand)) || head.includes('hvc1');
  return { format: 'heif', name: isHevc ? 'HEIC' : 'HEIF' };
}

function sniffText(head: string): string {
  if (head.startsWith('\xff\xfe') || head.startsWith('\xfe\xff')) return 'UTF-16 text';
  const text = head.replace(/^\xef\xbb\xbf/, '');
  if (/^\s*</.test(text)) {
    if (/<svg[\s>]/i.test(text)) return 'SVG';
    if (/<(!doctype html|html|head|body)[\s>]/i.test(text)) return 'HTML';
    return 'XML';
  }
  const printable = text.match(/[\t\n\r -~]/g)?.length ?? 0;
  return printable > 0 && printable >= 0.7 * text.length ? 'text' : 'unknown data';
}
