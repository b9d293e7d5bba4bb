/** The images of an evaluation, frozen or given. */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Category, Split } from '../../data/categories.ts';
import { evaluateSettingsSchema } from '../../data/config/evaluateSchema.ts';
import type { EvaluateSpec } from '../../data/evaluation/evaluateSpec.ts';
import {
  snapshotPlace,
  snapshotRows,
  snapshotUri,
  writeEvaluationSnapshots,
} from '../../data/evaluation/evaluationSnapshots.ts';
import { openStore } from '../../data/store/open.ts';
import { all, failureOf } from '../support/servers/s3.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const category = (name: string, split: Split): Category => ({ name, split, aliases: [], prompts: [] });
const CATEGORIES = [category('dog', 'seen'), category('cat', 'unseen'), category('sea', 'seen')];

let place: Workplace;
beforeAll(async () => {
  place = await makeWorkplace();
});
afterAll(() => place.clear());

/** Images [from, to): every third shows a cat. */
async function manifest(name: string, from: number, to: number): Promise<string> {
  const rows = Array.from({ length: to - from }, (_, i) => ({
    uri: `/images/${from + i}.jpg`,
    labels: [['cat'], ['dog', 'sea'], []][(from + i) % 3],
  }));
  await writeFile(place.path(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return snapshotUri(place.path(name));
}

const specOf = (test: string, validation: string | null): EvaluateSpec => ({
  ...{ test, validation, vocabulary: '', graph: null, model: '', production: null, base: null },
  settings: evaluateSettingsSchema.parse({}),
});
let runs = 0;
let out: string;
beforeEach(() => {
  out = place.path(`run${runs++}`);
});
const write = (spec: EvaluateSpec, categories: readonly Category[] = CATEGORIES) =>
  writeEvaluationSnapshots(openStore(out), {
    ...{ spec, categories, openStore, report: () => undefined },
    signal: new AbortController().signal,
  });
const rowsOf = (spec: EvaluateSpec) =>
  all(snapshotRows(snapshotPlace(openStore(out), spec, 'test', openStore)!));

it('freezes manifests, with the labels of unseen categories, and is done when they are there', async () => {
  const spec = specOf(await manifest('test.jsonl', 0, 30), await manifest('held.jsonl', 30, 40));
  const { test, validation } = await write(spec);
  expect(test).toMatchObject({ images: 30, positives: [10, 10, 10] });
  expect(validation).toMatchObject({ images: 10 });
  const rows = await rowsOf(spec);
  expect(rows).toHaveLength(30);
  expect(rows.find(({ uri }) => uri.endsWith('/0.jpg'))).toEqual({
    ...{ uri: 'file:///images/0.jpg', present: [1], absent: null },
  });
  // What the manifest says later does not matter.
  await manifest('test.jsonl', 0, 3);
  expect((await write(spec)).test).toEqual(test);
});

describe('a snapshot of another run', () => {
  it('is used where it lies, if it is of these categories', async () => {
    const { test } = await write(specOf(await manifest('test.jsonl', 0, 30), null));
    const given = snapshotUri(`${out}/_snapshot/test`);
    out = place.path('other');
    const spec = specOf(given, null);
    expect((await write(spec)).test).toEqual(test);
    expect(await rowsOf(spec)).toHaveLength(30);

    for (const others of [
      [...CATEGORIES].reverse(),
      CATEGORIES.map(({ name }) => category(name, 'seen')),
      CATEGORIES.slice(0, 2),
    ])
      expect(await failureOf(write(spec, others))).toMatchObject({ code: 'Dataset.OtherCategories' });
  });

  it('that is not there is said', async () => {
    const spec = specOf(snapshotUri(place.path('nowhere')), null);
    expect(await failureOf(write(spec))).toMatchObject({ code: 'Run.Incomplete' });
  });
});

it('refuses images that are both tested on and fitted on', async () => {
  const test = await manifest('test.jsonl', 0, 30);
  const last = await manifest('last.jsonl', 29, 35);
  const failure = await failureOf(write(specOf(test, last)));
  expect(failure).toMatchObject({ code: 'Dataset.Overlap', subject: 'file:///images/29.jpg' });
});
