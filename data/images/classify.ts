import { Failure, isFailure, messageOf } from '../failure.ts';
import type { ImageCode } from './codes.ts';
import type { Sniffed } from './sniff.ts';

/** Typed constructor of an image's failure. The key is the caller's to add: nothing here knows it. */
export function imageFailure(code: ImageCode, message: string, cause?: unknown): Failure {
  return new Failure(code, message, { hint: HINTS[code], ...(cause === undefined ? {} : { cause }) });
}

const HINTS: Readonly<Record<ImageCode, string>> = {
  'Image.Empty': 'Upload the image again.',
  'Image.TooLarge': 'Raise the limit on bytes if such objects are expected.',
  'Image.PixelLimit': 'Raise the limit on pixels if such images are expected and memory allows.',
  'Image.Unsupported': 'Convert it to JPEG, PNG, WebP, GIF, TIFF or AVIF, or exclude it.',
  'Image.Corrupt': 'Upload the image again from its source.',
  'Image.Timeout': 'Raise the time limit, or exclude it.',
  'Image.Crashed': 'Exclude it, and report it to the maintainers with the image.',
};

/** The refusal of what {@link Sniffed} names. */
export function unsupportedFormat(name: string): Failure {
  return imageFailure('Image.Unsupported', `the content is ${name}, which is not read`);
}

// A limit of libpng, libheif or sharp on the size that a header claims.
const TOO_MANY_PIXELS =
  /exceeds pixel limit|exceeds user limit|image size exceeds|too large image|exceeds? the maximum image size/i;
// A valid file that needs a codec, a bit depth or a layout that the decoder lacks.
const NOT_SUPPORTED =
  /unsupported|not supported|not configured|not implemented|omitted at compile time|no codec|does not support|cannot handle|can not handle|can't handle|unimplemented/i;

/** Turns what sharp threw on an image of a known format into a failure; a {@link Failure} passes through. */
export function classifyDecodeError(error: unknown, sniffed: Sniffed): Failure {
  if (isFailure(error)) return error;
  const reason = shortReason(messageOf(error));
  if (TOO_MANY_PIXELS.test(reason))
    return imageFailure('Image.PixelLimit', `${sniffed.name}: ${reason}`, error);
  if (NOT_SUPPORTED.test(reason))
    return imageFailure('Image.Unsupported', `${sniffed.name}: ${reason}`, error);
  return imageFailure('Image.Corrupt', `the ${sniffed.name} is truncated or damaged: ${reason}`, error);
}

/** libvips repeats itself, a line per attempt, and sharp reports a header that it cannot read as an unknown format. */
function shortReason(message: string): string {
  const lines = message
    .replace('Input buffer contains unsupported image format', 'unreadable header')
    .replace('Input buffer has corrupt header:', '')
    .split('\n')
    .map((line) => line.trim());
  return (
    [...new Set(lines)]
      .filter((line) => line !== '')
      .slice(0, 2)
      .join('; ') || 'unreadable header'
  );
}
