/** Evaluations of the same inputs, one of them left in peace: whatever happens to the others, they end in its bytes. */
import { watch } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { jsonOf, runCli, startCli, until, type CliOptions } from '../support/cli.ts';
import {
  copyScenes,
  DEMO_CATEGORIES,
  DEMO_GRAPH,
  DEMO_MODEL,
  scenes,
  writeManifest,
} from '../support/demoTraining.ts';
import { endTemporal, makeWorkplace, type Workplace } from '../support/workplace.ts';

const SHARDS = 12;
const SHARD_SIZE = 8;

let place: Workplace;
let expected: Record<string, string>;

const evaluate = (out: string, ...more: string[]): string[] => [
  ...['evaluate', '--data', 'test.jsonl', '--validation', 'validation.jsonl', '--model', DEMO_MODEL],
  ...['--categories', DEMO_CATEGORIES, '--graph', DEMO_GRAPH, '--out', out, ...more],
];
const here = (): CliOptions => ({ cwd: place.dir });

/** What an evaluation came to. */
async function figures(out: string): Promise<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (const name of ['metrics.json', 'per_category.json', 'calibration.json'])
    texts[name] = await readFile(place.path(out, name), 'utf8');
  return texts;
}

/** Receipts of shards of test images, by shard. */
async function receipts(out: string): Promise<Map<string, string>> {
  const folder = place.path(out, '_scores', 'test');
  const names = (await readdir(folder).catch(() => [])).filter((name) => /^\d+\.json$/.test(name));
  return new Map(
    await Promise.all(
      names.map(async (name): Promise<[string, string]> => [
        name.replace('.json', ''),
        await readFile(join(folder, name), 'utf8'),
      ]),
    ),
  );
}

beforeAll(async () => {
  place = await makeWorkplace();
  await writeManifest(place.path('test.jsonl'), scenes(0, SHARDS * SHARD_SIZE));
  await writeManifest(
    place.path('validation.jsonl'),
    await copyScenes(scenes(100, 120), place.path('copies')),
  );
  await writeFile(
    place.path('c2srt.yaml'),
    `evaluate: { shardSize: ${SHARD_SIZE}, minPositives: 3, calibration: isotonic, resamples: 200 }\n`,
  );
  const peaceful = await runCli(evaluate('peaceful', '--json'), here());
  expect(peaceful.code, peaceful.stderr).toBe(0);
  expected = await figures('peaceful');
});
afterEach(() => endTemporal(place.path('.c2srt')));
afterAll(() => place.clear());

it('killed among shards and resumed on another server: no shard is scored again, and the bytes are the same', async () => {
  const command = startCli(evaluate('killed', '--shard-slots', '1', '--threads', '1'), here());
  await until('some shards are scored', async () => (await receipts('killed')).size >= 3);
  command.kill('SIGKILL');
  await command.ended;
  await endTemporal(place.path('.c2srt'));
  const before = await receipts('killed');
  expect(before.size).toBeLessThan(SHARDS);
  await rm(place.path('.c2srt'), { recursive: true });

  const status = jsonOf(await runCli(['status', './killed', '--json'], here()));
  expect(status).toMatchObject({ kind: 'evaluate', state: 'unknown' });
  expect(status['shardsDone']).toBeGreaterThanOrEqual(before.size);

  const written = new Set<string>();
  const watcher = watch(place.path('killed', '_scores', 'test'), (_, name) => void written.add(name!));
  const resumed = await runCli(['resume', './killed', '--json'], here());
  watcher.close();
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(await figures('killed')).toEqual(expected);
  const parts = [...written].filter((name) => name.endsWith('.safetensors'));
  expect(parts.length).toBeGreaterThan(0);
  for (const [shard, receipt] of before) {
    const { attempt } = JSON.parse(receipt) as { attempt: string };
    // The part that counts is removed at the end; another one of the shard was never there.
    expect(parts.filter((name) => name.startsWith(`${shard}.`) && !name.includes(attempt))).toEqual([]);
  }
  expect(await readdir(place.path('killed'))).not.toContain('_scores');
}, 240_000);

it('an image that is gone is left out and named; with too many the evaluation fails', async () => {
  const rows = scenes(0, 20);
  const gone = place.path('gone.jpg');
  await writeManifest(place.path('one.jsonl'), [...rows, { uri: gone, labels: [] }]);
  const result = await runCli(
    evaluate('one', '--data', 'one.jsonl', '--validation', 'validation.jsonl', '--json'),
    here(),
  );
  expect(result.code, result.stderr).toBe(0);
  expect(jsonOf(result)).toMatchObject({ images: 20, failed: 1 });
  const metrics = JSON.parse(await readFile(place.path('one', 'metrics.json'), 'utf8')) as {
    failed: unknown;
  };
  expect(metrics.failed).toEqual({
    ...{ images: 1, byCode: { 'Store.NotFound': 1 } },
    named: [{ uri: `file://${gone}`, code: 'Store.NotFound' }],
  });

  await writeManifest(place.path('three.jsonl'), [
    ...rows,
    ...[1, 2, 3].map((n) => ({ uri: place.path(`gone${n}.jpg`), labels: [] })),
  ]);
  const refused = await runCli(evaluate('three', '--data', 'three.jsonl'), here());
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/3 of 23 test images could not be read \(Store\.NotFound 3\)/);
}, 240_000);
