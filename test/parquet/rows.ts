import fc from 'fast-check';
import type { FailureRow, PartMetadata, TagRow } from '../../data/parquet/tagRows.ts';

export const METADATA: PartMetadata = {
  run: 'run-1',
  model: 'a'.repeat(64),
  vocabulary: 'b'.repeat(64),
  scores: 'calibrated',
};

/** Any text that UTF-8 can hold, of every script, with controls and quotes among it. */
const text = (maxLength: number): fc.Arbitrary<string> =>
  fc.oneof(fc.string({ unit: 'grapheme', maxLength }), fc.string({ unit: 'binary', maxLength }));

/** float32 without -0, which is written as 0. */
const score = fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value));

const etag = fc.option(fc.string({ maxLength: 32 }));

export const tagRow = (dimension?: number): fc.Arbitrary<TagRow> =>
  fc.record({
    key: text(40).map((key) => `k${key}`),
    source: text(20),
    versionId: fc.option(fc.string({ maxLength: 32 })),
    etag,
    sizeBytes: fc.option(fc.nat({ max: Number.MAX_SAFE_INTEGER })),
    // what every reader can show as a date
    lastModifiedMs: fc.option(fc.integer({ min: -1e12, max: 4e12 })),
    width: fc.nat({ max: 0x7fffffff }),
    height: fc.nat({ max: 0x7fffffff }),
    tags: fc.array(
      fc.record({ label: text(12), score, rawScore: fc.option(score), vocabulary: fc.option(text(8)) }),
      { maxLength: 12 },
    ),
    ...(dimension !== undefined && {
      embedding: fc
        .array(score, { minLength: dimension, maxLength: dimension })
        .map((values) => Float32Array.from(values)),
    }),
  });

export const failureRow: fc.Arbitrary<FailureRow> = fc.record({
  key: text(40).map((key) => `k${key}`),
  source: text(20),
  versionId: fc.option(fc.string({ maxLength: 32 })),
  etag,
  code: fc.constantFrom('Image.Corrupt', 'Store.NotFound', 'Image.PixelLimit'),
  message: text(60),
  attempts: fc.integer({ min: 1, max: 100 }),
});

/** `count` rows of the usual kind, without randomness. */
export function plainTagRows(count: number, tagCount: number, labelCount: number): TagRow[] {
  return Array.from({ length: count }, (_, i) => ({
    key: `photos/2024/${String(i).padStart(9, '0')}.jpg`,
    source: 's3://bucket/photos',
    versionId: i % 2 === 0 ? null : `v${i}`,
    etag: (i * 2654435761).toString(16),
    sizeBytes: 1000 + i,
    lastModifiedMs: 1.7e12 + i * 1000,
    width: 640 + (i % 7),
    height: 480,
    tags: Array.from({ length: tagCount }, (_, j) => ({
      label: `category ${(i + j) % labelCount}`,
      score: Math.fround(1 / (1 + j + (i % 97) / 100)),
      rawScore: null,
      vocabulary: null,
    })),
  }));
}
