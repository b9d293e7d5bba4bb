import { z } from 'zod';
import { Failure } from '../failure.ts';

/** CLIP's preprocessing, as `preprocessor_config.json` states it. Lengths in pixels. */
export interface PreprocessConfig {
  /** Length of the shorter side after resizing; of both sides where `keepAspect` is false. */
  size: number;
  /** Whether the longer side keeps its proportion, floor(size * long / short). */
  keepAspect: boolean;
  /** Side S of the square that is cut out of the middle; at most `size`. */
  cropSize: number;
  /** PIL's BICUBIC (a = -0.5) or BILINEAR, both widened when shrinking (antialiased). */
  kernel: 'cubic' | 'linear';
  /** What the model sees is (pixel * rescaleFactor - mean) / std per channel, pixel in 0..255. */
  rescaleFactor: number;
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
}

const side = z.number().int().positive().max(4096);
const rgb = z.tuple([z.number(), z.number(), z.number()]);

/** The file's fields that decide something; null counts as missing. */
const schema = z.looseObject({
  image_processor_type: z.string().nullish(),
  feature_extractor_type: z.string().nullish(),
  do_resize: z.boolean().nullish(),
  default_to_square: z.boolean().nullish(),
  size: z.union([side, z.looseObject({})]).nullish(),
  resample: z.number().int().nullish(),
  do_center_crop: z.boolean().nullish(),
  crop_size: z.union([side, z.looseObject({})]).nullish(),
  do_rescale: z.boolean().nullish(),
  rescale_factor: z.number().positive().nullish(),
  do_normalize: z.boolean().nullish(),
  image_mean: rgb.nullish(),
  image_std: rgb.refine((std) => std.every((value) => value > 0), 'must be above zero').nullish(),
  do_pad: z.boolean().nullish(),
});

const shortestEdgeSize = z.strictObject({ shortest_edge: side });
const squareSize = z.strictObject({ height: side, width: side });

// The defaults of transformers' CLIPImageProcessor.
const CLIP_SIZE = 224;
const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073] as const;
const CLIP_STD = [0.26862954, 0.26130258, 0.27577711] as const;
// PIL's numbers of the filters.
const KERNELS: Readonly<Record<number, PreprocessConfig['kernel']>> = { 2: 'linear', 3: 'cubic' };

/**
 * Reads the JSON of a `preprocessor_config.json`; `file` is its name in messages. Missing fields get CLIP's defaults,
 * so `{}` is CLIP at 224.
 *
 * @throws {Failure} `Model.Unsupported`, naming the field, for what would not give a square image as CLIP's does.
 */
export function parsePreprocessConfig(json: unknown, file = 'preprocessor_config.json'): PreprocessConfig {
  const refuse = (field: string, value: unknown, why: string): Failure =>
    new Failure('Model.Unsupported', `${file}: ${field} = ${JSON.stringify(value)}: ${why}`, {
      subject: file,
      hint: "Use a checkpoint whose image processor is CLIP's (CLIPImageProcessor), or correct the field.",
    });

  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const value = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)[key], json);
    throw refuse(issue.path.join('.') || 'the file', value, issue.message);
  }
  const fields = parsed.data;

  for (const field of ['image_processor_type', 'feature_extractor_type'] as const) {
    const type = fields[field];
    if (type != null && !type.startsWith('CLIP'))
      throw refuse(field, type, "only CLIP's processor is supported");
  }
  if (fields.do_resize === false) throw refuse('do_resize', false, 'images must be resized');
  if (fields.do_pad === true) throw refuse('do_pad', true, 'padding is not supported');

  const kernel = KERNELS[fields.resample ?? 3];
  if (!kernel) throw refuse('resample', fields.resample, 'only 3 (bicubic) and 2 (bilinear) are supported');

  const { size, keepAspect } = readSize(fields.size ?? CLIP_SIZE, fields.default_to_square ?? false, refuse);
  let cropSize = size;
  if (fields.do_center_crop === false) {
    if (keepAspect) throw refuse('do_center_crop', false, 'without it the image is not square');
  } else {
    cropSize = readCropSize(fields.crop_size ?? CLIP_SIZE, refuse);
    if (cropSize > size)
      throw refuse('crop_size', fields.crop_size ?? CLIP_SIZE, `larger than size (${size})`);
  }

  const normalize = fields.do_normalize ?? true;
  return {
    size,
    keepAspect,
    cropSize,
    kernel,
    rescaleFactor: fields.do_rescale === false ? 1 : (fields.rescale_factor ?? 1 / 255),
    mean: normalize ? (fields.image_mean ?? CLIP_MEAN) : [0, 0, 0],
    std: normalize ? (fields.image_std ?? CLIP_STD) : [1, 1, 1],
  };
}

type Refuse = (field: string, value: unknown, why: string) => Failure;

function readSize(size: unknown, toSquare: boolean, refuse: Refuse): { size: number; keepAspect: boolean } {
  if (typeof size === 'number') return { size, keepAspect: !toSquare };
  const shortest = shortestEdgeSize.safeParse(size);
  if (shortest.success) return { size: shortest.data.shortest_edge, keepAspect: true };
  const square = squareSize.safeParse(size);
  if (!square.success) throw refuse('size', size, 'expected a number, {shortest_edge} or {height, width}');
  if (square.data.height !== square.data.width) throw refuse('size', size, 'height and width differ');
  return { size: square.data.width, keepAspect: false };
}

function readCropSize(cropSize: unknown, refuse: Refuse): number {
  if (typeof cropSize === 'number') return cropSize;
  const square = squareSize.safeParse(cropSize);
  if (!square.success) throw refuse('crop_size', cropSize, 'expected a number or {height, width}');
  if (square.data.height !== square.data.width)
    throw refuse('crop_size', cropSize, 'height and width differ');
  return square.data.width;
}
