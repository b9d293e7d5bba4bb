/** Run records of every kind, and what differs between two runs. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { pretrainSettingsSchema, trainSettingsSchema } from '../../data/config/trainSchema.ts';
import { specDifferences } from '../../data/run/differences.ts';
import { RUN_RECORD } from '../../data/run/layout.ts';
import {
  claimRunFolder,
  kindOfRunId,
  readRunRecord,
  RUN_KINDS,
  runIdOf,
  type RunRecord,
  type TagSpec,
} from '../../data/run/record.ts';
import { requireTagRun, requireTrainRun } from '../../data/run/requireRun.ts';
import { soleVocabulary } from '../../data/run/vocabularies.ts';
import { openStore } from '../../data/store/open.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'c2srt-record-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const identity = { version: 1, id: 'x-1', createdAt: '2026-01-02T03:04:05.000Z' } as const;
const tagSpec: TagSpec = {
  sources: [{ uri: 'file:///images', inventory: null }],
  keys: [],
  unsigned: false,
  requesterPays: false,
  include: [],
  exclude: ['*.txt'],
  since: null,
  retry: null,
  vocabularies: [soleVocabulary('v')],
  model: 'file:///model',
  embedding: false,
  shardSize: 10,
  maxBytes: 1,
  maxPixels: 1,
  decodeTimeoutMs: 1,
};
const data = {
  data: 'file:///train.jsonl',
  validation: null,
  model: 'file:///model',
  snapshot: null,
  artifacts: null,
};
const records: Record<string, RunRecord> = {
  tag: { ...identity, kind: 'tag', spec: tagSpec },
  train: {
    ...identity,
    kind: 'train',
    spec: { ...data, vocabulary: 'v', graph: 'g', settings: trainSettingsSchema.parse({ clipNorm: 1 }) },
  },
  pretrain: { ...identity, kind: 'pretrain', spec: { ...data, settings: pretrainSettingsSchema.parse({}) } },
};
const folder = async (name: string, record?: unknown) => {
  const output = openStore(join(dir, name));
  if (record !== undefined) await output.put(RUN_RECORD, JSON.stringify(record));
  return output;
};

test.each(Object.entries(records))('a %s record is read back as it was claimed', async (kind, record) => {
  const output = await folder(`claimed-${kind}`);
  expect(await claimRunFolder(output, record)).toEqual(record);
  expect(await readRunRecord(output)).toEqual(record);
  // The second command's record is not the folder's.
  expect(await claimRunFolder(output, { ...record, id: 'other' })).toEqual(record);
});

test('a record without a kind is a tag run: the first release wrote none', async () => {
  const { kind: _, ...old } = records['tag']!;
  const output = await folder('old', old);
  expect(await requireTagRun(output)).toEqual(records['tag']);
});

test('records of earlier releases have one vocabulary and, the first ones, one source', async () => {
  const { vocabularies: _, ...rest } = tagSpec;
  const oneVocabulary = { ...rest, vocabulary: 'v', graph: 'g', topK: 5, threshold: null };
  const unwritten = { sources: undefined, keys: undefined, unsigned: undefined, requesterPays: undefined };
  const oneSource = { ...oneVocabulary, ...unwritten, source: 'file:///images' };
  const vocabularies = [{ name: null, categories: 'v', graph: 'g', topK: 5, threshold: null }];
  for (const [name, spec] of Object.entries({ oneVocabulary, oneSource }))
    expect(await requireTagRun(await folder(name, { ...records['tag']!, spec }))).toEqual({
      ...records['tag'],
      spec: { ...tagSpec, vocabularies },
      ofEarlierRelease: true,
    });
});

describe('a run of another kind is refused by name', () => {
  it.each(['train', 'pretrain'])('%s where a tag run is wanted', async (kind) => {
    const output = await folder(`other-${kind}`, records[kind]);
    expect(await requireTrainRun(output)).toEqual(records[kind]);
    await expect(requireTagRun(output)).rejects.toMatchObject({
      code: 'Run.OtherKind',
      message: expect.stringContaining(`x-1, a run of \`c2srt ${kind}\``) as string,
    });
  });

  it('a tag run where a training is wanted', async () => {
    const output = await folder('other-tag', records['tag']);
    await expect(requireTrainRun(output)).rejects.toMatchObject({ code: 'Run.OtherKind' });
  });

  it('no run at all', async () => {
    await expect(requireTrainRun(await folder('none'))).rejects.toMatchObject({ code: 'Run.NotFound' });
  });
});

it.each([
  ['a kind that does not exist', { ...identity, kind: 'bake', spec: tagSpec }],
  ['the spec of another kind', { ...identity, kind: 'train', spec: tagSpec }],
  [
    'a setting that does not exist',
    {
      ...identity,
      kind: 'pretrain',
      spec: { ...data, settings: { ...pretrainSettingsSchema.parse({}), oops: 1 } },
    },
  ],
  ['no object', []],
])('a record with %s is invalid', async (name, record) => {
  await expect(readRunRecord(await folder(`bad-${name.length}`, record))).rejects.toMatchObject({
    code: 'Run.Invalid',
  });
});

test("a run's id tells its kind and is the folder's", () => {
  fc.assert(
    fc.property(fc.constantFrom(...RUN_KINDS), fc.webPath({ size: 'small' }), (kind, path) => {
      const id = runIdOf(kind, `s3://bucket${path}`);
      expect(id).toMatch(new RegExp(`^${kind}(-[a-z0-9]+)+$`));
      expect(kindOfRunId(id)).toBe(kind);
      for (const other of RUN_KINDS) expect(runIdOf(other, `s3://bucket${path}`) === id).toBe(other === kind);
    }),
  );
  expect(kindOfRunId('my-workflow')).toBeUndefined();
});

describe('differences', () => {
  it('of objects in lists of one length are named by their place', () => {
    const asked = (topK: number | null) => ({
      vocabularies: [soleVocabulary('v'), { ...soleVocabulary('w'), topK }],
    });
    expect(specDifferences(asked(null), asked(3))).toEqual(['vocabularies.1.topK: null -> 3']);
    expect(specDifferences({ vocabularies: [{ a: 1 }] }, { vocabularies: [] })).toEqual([
      'vocabularies: [{"a":1}] -> []',
    ]);
  });

  it('of nested settings are named one by one, and lists are values', () => {
    const settings = trainSettingsSchema.parse({});
    expect(
      specDifferences(
        { ...data, settings: { ...settings, epochs: 3 }, include: ['a'] },
        { ...data, settings: { ...settings, epochs: 5, clipNorm: 1 }, include: ['a', 'b'] },
      ),
    ).toEqual(['settings.epochs: 3 -> 5', 'settings.clipNorm: none -> 1', 'include: ["a"] -> ["a","b"]']);
  });

  it('are none between equal specifications, whatever was stored and read in between', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (spec) => {
        expect(specDifferences(spec, JSON.parse(JSON.stringify(spec)) as object)).toEqual([]);
      }),
    );
  });
});
