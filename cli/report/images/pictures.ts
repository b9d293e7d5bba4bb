import { availableParallelism } from 'node:os';
import pMap from 'p-map';
import sharp from 'sharp';
import { isFailure } from '../../../data/failure.ts';
import { createDecodePool } from '../../../data/images/decodePool.ts';
import { clipGeometry } from '../../../data/images/geometry.ts';
import type { ImageLimits } from '../../../data/images/limits.ts';
import type { PreprocessConfig } from '../../../data/images/preprocessConfig.ts';
import type { PatchGrid } from './shownImage.ts';

/** Longer side of a thumbnail, in pixels. */
const THUMBNAIL_SIDE = 320;
const THUMBNAIL_QUALITY = 72;
const CONCURRENCY = 8;

/** An image to be shown. */
export interface WantedPicture {
  read(): Promise<Uint8Array>;
}

/** What could be made of an image; `code` says why nothing. */
export type Picture =
  | { thumbnail: string; width: number; height: number; pixels: Uint8Array }
  | { thumbnail: null; code: string };

/**
 * Reads images as the model takes them, in child processes, and then makes thumbnails of them: upright, at most 320 pixels
 * on a side, encoded anew without metadata. What cannot be had is a code, as in failure rows.
 */
export async function readPictures(
  wanted: readonly WantedPicture[],
  preprocess: PreprocessConfig,
  limits: ImageLimits,
): Promise<Picture[]> {
  const pool = createDecodePool({ processes: Math.min(4, availableParallelism()), preprocess, ...limits });
  const read = async ({ read: bytes }: WantedPicture): Promise<Picture> => {
    try {
      const body = await bytes();
      // What the decoding processes survived, this one does.
      const decoded = await pool.decode(body);
      return { ...decoded, thumbnail: await thumbnailOf(body, limits) };
    } catch (error) {
      if (isFailure(error, 'Store.') || isFailure(error, 'Image.'))
        return { thumbnail: null, code: error.code };
      throw error;
    }
  };
  try {
    return await pMap(wanted, read, { concurrency: CONCURRENCY });
  } finally {
    await pool.close();
  }
}

async function thumbnailOf(body: Uint8Array, { maxPixels }: ImageLimits): Promise<string> {
  const data = await sharp(body, { limitInputPixels: maxPixels, failOn: 'none' })
    .autoOrient()
    .flatten({ background: '#ffffff' })
    .resize(THUMBNAIL_SIDE, THUMBNAIL_SIDE, { fit: 'inside', withoutEnlargement: true })
    .webp({ quality: THUMBNAIL_QUALITY })
    .toBuffer();
  return `data:image/webp;base64,${data.toString('base64')}`;
}

/** Where the patches of an upright image of `width` x `height` pixels lie: through the resize and the crop. */
export function patchGrid(
  width: number,
  height: number,
  preprocess: PreprocessConfig,
  patchSize: number,
): PatchGrid {
  const resized = clipGeometry(width, height, preprocess);
  return {
    left: resized.left / resized.width,
    top: resized.top / resized.height,
    width: patchSize / resized.width,
    height: patchSize / resized.height,
    side: Math.floor(preprocess.cropSize / patchSize),
  };
}
