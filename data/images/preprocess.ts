import sharp from 'sharp';
import type { Sharp, SharpOptions } from 'sharp';
import { messageOf } from '../failure.ts';
import { classifyDecodeError, imageFailure, unsupportedFormat } from './classify.ts';
import { clipGeometry, cutUpright, storedRectangle, swapsSides } from './geometry.ts';
import type { Geometry } from './geometry.ts';
import { readJpegHeader } from './jpegHeader.ts';
import { afterWarning } from './jpegWarnings.ts';
import type { PreprocessConfig } from './preprocessConfig.ts';
import { sniff } from './sniff.ts';
import type { ImageFormat } from './sniff.ts';

/** An image as the encoder takes it. */
export interface Decoded {
  /** [S, S, 3]: rows, columns, sRGB; 0..255, neither scaled nor normalised. S is the configuration's `cropSize`. */
  pixels: Uint8Array;
  /** Of the original in pixels, after its EXIF orientation. */
  width: number;
  height: number;
}

// The prebuilt sharp has AV1 only, and its error on HEVC cannot be told from damage.
const READS_HEVC = sharp.format.heif.input.fileSuffix?.includes('.heic') ?? false;

interface Header {
  /** Pixels as stored, before the orientation. */
  width: number;
  height: number;
  orientation: number;
  hasAlpha: boolean;
  isCmyk: boolean;
}

/**
 * Decodes one image and applies CLIP's preprocessing up to, and without, normalisation: upright, sRGB, 8 bits, on
 * white where it is transparent, first page or frame; short side to S, bicubic, centre crop.
 *
 * Embedded RGB and grey profiles are ignored: CLIP was trained with a decoder that ignores them. CMYK has no meaning
 * without a profile, so its own is used, or a standard one.
 *
 * @throws {Failure} `Image.Unsupported`, `Image.PixelLimit`, `Image.Corrupt`.
 */
export async function preprocess(
  body: Uint8Array,
  config: PreprocessConfig,
  maxPixels: number,
): Promise<Decoded> {
  const sniffed = sniff(body);
  const { format } = sniffed;
  if (!format || (sniffed.name === 'HEIC' && !READS_HEVC)) throw unsupportedFormat(sniffed.name);
  try {
    const header = await readHeader(body, format);
    if (header.width * header.height > maxPixels) {
      throw imageFailure(
        'Image.PixelLimit',
        `${header.width} x ${header.height} pixels, the limit is ${maxPixels}`,
      );
    }
    const swapped = swapsSides(header.orientation);
    const width = swapped ? header.height : header.width;
    const height = swapped ? header.width : header.height;
    const geometry = clipGeometry(width, height, config);
    const job: Job = { body, options: decodeOptions(header, format), header, geometry, config };
    return { pixels: await resizeAndCutWhole(job), width, height };
  } catch (error) {
    throw classifyDecodeError(error, sniffed);
  }
}

async function readHeader(body: Uint8Array, format: ImageFormat): Promise<Header> {
  const jpeg = format === 'jpeg' ? readJpegHeader(body) : undefined;
  if (jpeg) return { ...jpeg, hasAlpha: false, isCmyk: false };
  // The pixel limit is checked by the caller, for a message with the numbers in it.
  const metadata = await sharp(body, { limitInputPixels: false, failOn: 'error' }).metadata();
  return {
    width: metadata.width,
    height: metadata.pageHeight ?? metadata.height,
    orientation: metadata.orientation ?? 1,
    hasAlpha: metadata.hasAlpha,
    isCmyk: metadata.space === 'cmyk',
  };
}

function decodeOptions(header: Header, format: ImageFormat): SharpOptions {
  return {
    // libjpeg only warns of missing data and paints the rest grey. The other decoders call that an error, and warn of
    // trifles (a known sRGB profile, an unknown tag).
    failOn: format === 'jpeg' ? 'warning' : 'error',
    ignoreIcc: !header.isCmyk,
    limitInputPixels: header.width * header.height,
  };
}

interface Job {
  body: Uint8Array;
  options: SharpOptions;
  header: Header;
  geometry: Geometry;
  config: PreprocessConfig;
}

/** [cropSize, cropSize, 3], in spite of warnings that say nothing about the pixels. */
async function resizeAndCutWhole(job: Job): Promise<Uint8Array> {
  try {
    return await resizeAndCut(job);
  } catch (error) {
    const again = afterWarning(messageOf(error), job.body);
    if (!again || job.options.failOn === 'error') throw error;
    return await resizeAndCutWhole({
      ...job,
      body: again.body,
      options: { ...job.options, failOn: again.failOn },
    });
  }
}

// Up to this ratio the whole image is resized and the crop taken here, so that every row is decoded and a truncated
// file fails wherever it was cut: libvips works on demand and would not read below the crop.
const MAX_WHOLE_ASPECT = 4;

async function resizeAndCut({ body, options, header, geometry, config }: Job): Promise<Uint8Array> {
  const { orientation } = header;
  const swapped = swapsSides(orientation);
  // The image is resized as it is stored and turned upright afterwards, on a few pixels instead of all of them.
  const width = swapped ? geometry.height : geometry.width;
  const height = swapped ? geometry.width : geometry.height;
  const { cropSize } = config;
  let image = resized(sharp(body, options), width, height, config, header);
  if (Math.max(width, height) <= MAX_WHOLE_ASPECT * config.size) {
    const pixels = await rgbPixels(image);
    return cutUpright(pixels, width, height, orientation, geometry.left, geometry.top, cropSize);
  }
  // Reads every row, as above, at the cost of a second decode.
  await sharp(body, options).resize(1, 1, { fit: 'fill' }).raw().toBuffer();
  const crop = { left: geometry.left, top: geometry.top, width: cropSize, height: cropSize };
  image = image.extract(storedRectangle(orientation, width, height, crop));
  return cutUpright(await rgbPixels(image), cropSize, cropSize, orientation, 0, 0, cropSize);
}

function resized(
  image: Sharp,
  width: number,
  height: number,
  config: PreprocessConfig,
  header: Header,
): Sharp {
  if (header.hasAlpha) image = image.flatten({ background: '#ffffff' });
  // False leaves the bicubic at least a factor of two: against no shrinking on load, a photo-like JPEG of 4000 x 3000 at
  // S = 224 differs by 0.5 steps on average (cosine 0.9999) in half the time. True: 1.0 step (0.9992), and a WebP of
  // 1600 x 1200 by 4.9 steps (0.987).
  return image.resize(width, height, { fit: 'fill', kernel: config.kernel, fastShrinkOnLoad: false });
}

async function rgbPixels(image: Sharp): Promise<Uint8Array> {
  const { data, info } = await image
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`${info.channels} channels after the conversion to sRGB`);
  return data;
}
