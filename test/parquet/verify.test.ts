import { describe, expect, it } from 'vitest';
import type { TagRow } from '../../data/parquet/tagRows.ts';
import { verifyPart } from '../../data/parquet/verify.ts';
import { encodeFailureRows, encodeTagRows } from '../../data/parquet/write.ts';
import { METADATA, plainTagRows } from './rows.ts';

const rows = plainTagRows(50, 3, 9).map((row, i) => ({ ...row, embedding: Float32Array.of(i, 0.25) }));
const bytes = encodeTagRows(rows, { embedding: true, metadata: METADATA });

const unreadable = (reason: RegExp): unknown =>
  expect.objectContaining({ code: 'Output.Unreadable', message: expect.stringMatching(reason) as string });

/** `rows` with the one at 20 changed. */
const changed = (change: Partial<TagRow>): TagRow[] =>
  rows.map((row, i) => (i === 20 ? { ...row, ...change } : row));

describe('verifyPart', () => {
  it('passes the rows that were written', async () => {
    await verifyPart(bytes, rows);
  });

  it.each<[string, TagRow[], RegExp]>([
    ['a row missing', rows.slice(0, -1), /announces 50 rows for 49/],
    ['a row too many', [...rows, rows[0]!], /announces 50 rows for 51/],
    ['two rows in another order', [rows[1]!, rows[0]!, ...rows.slice(2)], /row 0 .*key is/],
    ['another key', changed({ key: 'other' }), /row 20 \("other"\): key is photos/],
    ['another etag', changed({ etag: null }), /row 20 .*etag/],
    ['another size', changed({ sizeBytes: 2 ** 40 }), /row 20 .*size_bytes/],
    ['another time', changed({ lastModifiedMs: 5 }), /row 20 .*last_modified/],
    ['another width', changed({ width: 1 }), /row 20 .*width/],
    ['a tag less', changed({ tags: rows[20]!.tags.slice(1) }), /row 20 .*it has 3 tags for 2/],
    ...(['label', 'vocabulary', 'rawScore'] as const).map((field): [string, TagRow[], RegExp] => {
      const [first, ...others] = rows[20]!.tags;
      const other = { ...first!, [field]: field === 'rawScore' ? 0.5 : 'x' };
      return [`another ${field}`, changed({ tags: [other, ...others] }), /tag 0/];
    }),
    ['a score one float32 away', nudged(), /row 20 .*tag 2 differs/],
    [
      'another embedding',
      changed({ embedding: Float32Array.of(20, 0.5) }),
      /row 20 .*embedding differs at 1/,
    ],
  ])('refuses %s', async (_, others, reason) => {
    await expect(verifyPart(bytes, others)).rejects.toEqual(unreadable(reason));
  });

  it('refuses a failure row with another code', async () => {
    const failure = {
      key: 'k',
      source: 's',
      versionId: null,
      etag: 'e',
      code: 'Image.Corrupt',
      message: 'm',
      attempts: 1,
    };
    const part = encodeFailureRows([failure], { metadata: METADATA });
    await verifyPart(part, [failure]);
    await expect(verifyPart(part, [{ ...failure, code: 'Image.Timeout' }])).rejects.toEqual(
      unreadable(/code is Image.Corrupt for Image.Timeout/),
    );
  });

  it('refuses a part with a damaged byte in its data', async () => {
    const damaged = Buffer.from(bytes);
    const at = damaged.indexOf('photos/2024/');
    expect(at).toBeGreaterThan(0);
    damaged.write('P', at);
    await expect(verifyPart(damaged, rows)).rejects.toEqual(unreadable(/row 0/));
  });

  it.each([0, 1, 7, 100, -1, -8])('refuses a part cut at %i', async (end) => {
    await expect(verifyPart(bytes.slice(0, end), rows)).rejects.toEqual(unreadable(/does not read back/));
  });
});

function nudged(): TagRow[] {
  const [first, second, third] = rows[20]!.tags;
  const near = new Float32Array([third!.score]);
  new Int32Array(near.buffer)[0]!++;
  return changed({ tags: [first!, second!, { ...third!, score: near[0]! }] });
}
