/** What an image may cost before it is refused. */
export interface ImageLimits {
  /** Largest object, in bytes, inclusive. */
  maxBytes: number;
  /** Largest width x height, inclusive, checked on the header before any pixel is decoded. */
  maxPixels: number;
  /** Longest time one decode may take, in milliseconds. */
  timeoutMs: number;
}

/** 64 MiB, 100 megapixels (up to about 800 MB while a 16-bit RGBA image is decoded), 30 seconds. */
export const DEFAULT_IMAGE_LIMITS: ImageLimits = {
  maxBytes: 64 * 2 ** 20,
  maxPixels: 100e6,
  timeoutMs: 30_000,
};
