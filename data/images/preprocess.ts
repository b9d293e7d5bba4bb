import sharp from 'sharp';
import type { Sharp, SharpOptions } from 'sharp';
import { messageOf } from '../failure.ts';
import { classifyDecodeError, imageFailure, unsupportedFormat } from './classify.ts';
import { clipGeometry, cutRectangle, storedRectangle, swapsSides, turnUpright } from './geometry.ts';
import type { Geometry, Rectangle } from './geometry.ts';
import { readJpegHeader } from './jpegHeader.ts';
import { afterWarning } from './jpegWarnings.ts';
import type { PreprocessConfig } from './preprocessConfig.ts';
import { mixesRowsFirst, resample, sourceRectangle } from './resample.ts';
import type { Resize } from './resample.ts';
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

// Of libvips, in pixels.
const MAX_RESIZED_SIDE = 100_000_000;

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
    if (Math.max(geometry.width, geometry.height) > MAX_RESIZED_SIDE) {
      throw imageFailure('Image.PixelLimit', `${width} x ${height} pixels are too long and narrow to resize`);
    }
    const shrinksOnLoad = format === 'jpeg' || format === 'webp';
    const job: Job = {
      body,
      options: decodeOptions(header, format),
      header,
      shrinksOnLoad,
      geometry,
      config,
    };
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
  /** Whether the decoder itself can give a smaller image. */
  shrinksOnLoad: boolean;
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

/** [cropSize, cropSize, 3]. The image is resized as it is stored; only the few pixels left are turned upright. */
async function resizeAndCut(job: Job): Promise<Uint8Array> {
  const { header, geometry, config } = job;
  const { width, height, orientation } = header;
  const { cropSize, kernel } = config;
  const swapped = swapsSides(orientation);
  const toWidth = swapped ? geometry.height : geometry.width;
  const toHeight = swapped ? geometry.width : geometry.height;
  const rowsFirst = swapped
    ? !mixesRowsFirst(height, width, toHeight, toWidth)
    : mixesRowsFirst(width, height, toWidth, toHeight);
  const resize: Resize = { width, height, toWidth, toHeight, kernel, rowsFirst };
  const upright = { left: geometry.left, top: geometry.top, width: cropSize, height: cropSize };
  const crop = storedRectangle(orientation, toWidth, toHeight, upright);

  const whole = Math.max(toWidth, toHeight) <= MAX_WHOLE_ASPECT * config.size;
  if (!whole) await readEveryRow(job);
  const square = await (resizesExactly(resize, job.shrinksOnLoad) ? resizeExactly : resizeFast)(
    job,
    resize,
    crop,
    whole,
  );
  return turnUpright(square, cropSize, orientation);
}

// libvips works on demand and would not read below the crop: a file truncated there would pass. So up to this ratio of
// the sides the whole image is decoded and the crop taken here.
const MAX_WHOLE_ASPECT = 4;

/** Does the same where the whole image would be too much, at the cost of a second decode. */
async function readEveryRow({ body, options }: Job): Promise<void> {
  await sharp(body, options).resize(1, 1, { fit: 'fill' }).raw().toBuffer();
}

// Below this factor libvips shrinks by the bicubic alone: 0.3 steps from PIL on average (1 - cosine 6e-5). From it on
// it halves by boxes first, which is 1.5 steps and 7e-4 at a factor of 10.
const BOXES_FROM = 4;
// Up to this many pixels, what libvips saves is nothing beside the decode.
const MAX_SMALL_PIXELS = 2 ** 17;
// Up to this many (1920 x 1080), every pixel passes through resample(), about 12 ns each.
const MAX_EXACT_PIXELS = 2 ** 21;

// Above this many pixels a decoder that shrinks while it loads is two to three times as fast as decoding every pixel
// (1600 x 1200 JPEG at S = 224: 20 to 25 ms, not 70), and its 0.9 steps (1 - cosine 2.4e-4) are the better trade.
const MAX_EXACT_SHRINKABLE_PIXELS = 2 ** 19;

/** Whether PIL's values are worth their time, or, where enlarged pixels would lie up to half a pixel off, needed. */
function resizesExactly({ width, height, toWidth, toHeight }: Resize, shrinksOnLoad: boolean): boolean {
  const enlarges = toWidth > width || toHeight > height;
  if (enlarges) return true;
  if (shrinksOnLoad && width * height > MAX_EXACT_SHRINKABLE_PIXELS) return false;
  const factor = Math.max(width / toWidth, height / toHeight);
  return factor >= BOXES_FROM || width * height <= MAX_SMALL_PIXELS;
}

async function resizeFast(job: Job, resize: Resize, crop: Rectangle, whole: boolean): Promise<Uint8Array> {
  const { toWidth, toHeight, kernel } = resize;
  const image = opened(job).resize(toWidth, toHeight, { fit: 'fill', kernel, fastShrinkOnLoad: false });
  return whole ? cutRectangle(await rgbPixels(image), toWidth, crop) : await rgbPixels(image.extract(crop));
}

async function resizeExactly(job: Job, resize: Resize, crop: Rectangle, whole: boolean): Promise<Uint8Array> {
  const loaded = loadedResize(resize);
  const { width, height, kernel } = loaded;
  let image = opened(job);
  if (width < resize.width || height < resize.height) {
    image = image.resize(width, height, { fit: 'fill', kernel });
  }
  const source = whole ? { left: 0, top: 0, width, height } : sourceRectangle(loaded, crop);
  if (!whole) image = image.extract(source);
  return resample(await rgbPixels(image), source, loaded, crop);
}

/** What is left to do of `resize` after libvips has brought a large image down to four times its final size. */
function loadedResize(resize: Resize): Resize {
  const { width, height, toWidth, toHeight } = resize;
  if (width * height <= MAX_EXACT_PIXELS) return resize;
  return {
    ...resize,
    width: Math.min(width, BOXES_FROM * toWidth),
    height: Math.min(height, BOXES_FROM * toHeight),
  };
}

function opened({ body, options, header }: Job): Sharp {
  const image = sharp(body, options);
  return header.hasAlpha ? image.flatten({ background: '#ffffff' }) : image;
}

/** [height, width, 3] in sRGB, 8 bits. */
async function rgbPixels(image: Sharp): Promise<Uint8Array> {
  const { data, info } = await image
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`${info.channels} channels after the conversion to sRGB`);
  // Of a Buffer and a Uint8Array in turns, the loops of resample() would be compiled for both.
  return new Uint8Array(data.buffer, data.byteOffset, data.length);
}
