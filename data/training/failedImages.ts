import { z } from 'zod';
import { compareUtf8 } from '../utf8Order.ts';

const failedImageSchema = z.object({ uri: z.string(), code: z.string() });

/** An image that could not be had, and why: a code of a store or of an image. */
export type FailedImage = z.infer<typeof failedImageSchema>;

export const failedImagesSchema = z.object({
  /** How often images failed, by code; an image that is read in every epoch fails in every epoch. */
  byCode: z.record(z.string(), z.int().positive()),
  /** The first {@link NAMED_IMAGES} of them in the order of their URIs, each once for every code. */
  named: z.array(failedImageSchema),
});

/**
 * A summary of failed images that is small whatever their number. Summaries of the same images are equal, whatever the
 * order in which they failed and were summed up.
 */
export type FailedImages = z.infer<typeof failedImagesSchema>;

/** Failed images that a summary names. */
export const NAMED_IMAGES = 20;

export const NO_FAILED_IMAGES: FailedImages = { byCode: {}, named: [] };

export function summariseFailed(images: readonly FailedImage[]): FailedImages {
  return summary(
    images,
    images.map(({ code }) => [code, 1]),
  );
}

/** The summary of what several summaries are of. */
export function mergeFailed(parts: readonly FailedImages[]): FailedImages {
  return summary(
    parts.flatMap(({ named }) => named),
    parts.flatMap(({ byCode }) => Object.entries(byCode)),
  );
}

/** Failures in a line, as `Store.NotFound 3, Image.Corrupt 1`, the most frequent first; empty where there is none. */
export function describeFailed(byCode: FailedImages['byCode']): string {
  return Object.entries(byCode)
    .sort(([a, m], [b, n]) => n - m || compareUtf8(a, b))
    .map(([code, count]) => `${code} ${count}`)
    .join(', ');
}

function summary(
  images: readonly FailedImage[],
  counts: readonly (readonly [string, number])[],
): FailedImages {
  const byCode = new Map<string, number>();
  for (const [code, count] of counts) byCode.set(code, (byCode.get(code) ?? 0) + count);
  const named = new Map(images.map(({ uri, code }) => [`${uri}\0${code}`, { uri, code }]));
  const inOrder = <Value>(entries: Iterable<[string, Value]>): [string, Value][] =>
    [...entries].sort(([a], [b]) => compareUtf8(a, b));
  return {
    byCode: Object.fromEntries(inOrder(byCode)),
    named: inOrder(named)
      .slice(0, NAMED_IMAGES)
      .map(([, image]) => image),
  };
}
