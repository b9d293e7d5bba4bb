import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { externalSort } from '../../data/externalSort.ts';
import { compareUtf8 } from '../../data/utf8Order.ts';
import { all, failureOf } from '../support/servers/s3.ts';

// Characters on both sides of the surrogates, so that UTF-16 and UTF-8 order differ.
const character = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  fc.constantFrom('a', 'b', '/', '.', '\uD7FF', '\uE000', '\uFFFF', '\u{10000}', '\u{10FFFF}', '\0', 'é'),
);
const text = fc.array(character, { maxLength: 8 }).map((characters) => characters.join(''));

test('strings compare as their UTF-8 bytes do', () => {
  fc.assert(
    fc.property(text, text, text, (start, a, b) => {
      const [x, y] = [start + a, start + b];
      expect(Math.sign(compareUtf8(x, y))).toBe(Buffer.compare(Buffer.from(x), Buffer.from(y)));
    }),
    { numRuns: 2000 },
  );
});

describe('external sort', () => {
  let tempFolder: string;
  beforeAll(async () => {
    tempFolder = await mkdtemp(join(tmpdir(), 'c2srt-test-'));
  });
  afterAll(() => rm(tempFolder, { recursive: true }));

  test('sorts, keeps the first of equal keys, reports the others, leaves no file', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { maxLength: 60 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 2, max: 4 }),
        async (keys, maxRecordsInMemory, fanIn) => {
          const records = keys.map((key, index) => ({ key, index }));
          const dropped: number[] = [];
          const sorted = await all(
            externalSort(records, {
              keyOf: ({ key }) => key,
              maxRecordsInMemory,
              fanIn,
              tempFolder,
              onDuplicate: ({ index }) => dropped.push(index),
            }),
          );
          const first = [...new Set(keys)].map((key) => ({ key, index: keys.indexOf(key) }));
          first.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
          expect(sorted).toEqual(first);
          const kept = new Set(sorted.map(({ index }) => index));
          const expected = records.filter(({ index }) => !kept.has(index)).map(({ index }) => index);
          expect(dropped.sort((a, b) => a - b)).toEqual(expected);
          expect(await readdir(tempFolder)).toEqual([]);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('keeps no more files than it merges at a time', async () => {
    const numbers = Array.from({ length: 50_000 }, (_value, i) => (i * 7919) % 50_000);
    const options = {
      keyOf: ({ key }: { key: string }) => key,
      maxRecordsInMemory: 500,
      fanIn: 8,
      tempFolder,
    };
    const sorted = externalSort(
      numbers.map((number) => ({ key: String(number) })),
      options,
    );
    const keys: string[] = [];
    for await (const { key } of sorted) {
      if (keys.length === 0) {
        const runs = await readdir(join(tempFolder, (await readdir(tempFolder))[0]!));
        expect(runs.length).toBeGreaterThan(0);
        expect(runs.length).toBeLessThanOrEqual(8);
      }
      keys.push(key);
    }
    expect(keys).toEqual(numbers.map(String).sort());
  });

  test('removes its files when the input fails and when the reader stops', async () => {
    function* failing() {
      for (let i = 0; i < 100; i++) yield String(i);
      throw new Error('broken input');
    }
    const options = { keyOf: (key: string) => key, maxRecordsInMemory: 10, tempFolder };
    expect((await failureOf(all(externalSort(failing(), options)))).message).toBe('broken input');
    expect(await readdir(tempFolder)).toEqual([]);

    const keys = Array.from({ length: 100 }, (_, i) => String(i));
    for await (const key of externalSort(keys, options)) {
      expect(key).toBe('0');
      expect(await readdir(tempFolder)).toHaveLength(1);
      break;
    }
    expect(await readdir(tempFolder)).toEqual([]);
  });
});
