/** Models by the commands: published, used by alias, rolled back, and where they came from. */
import { cp, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readRunRecord } from '../../data/run/record.ts';
import { openStore } from '../../data/store/open.ts';
import { jsonOf, runCli, type CliResult } from '../support/cli.ts';
import { writeCorpus } from '../support/corpus.ts';
import { TINY_MODEL } from '../support/slowModel.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

let place: Workplace;
beforeAll(async () => {
  place = await makeWorkplace();
  await cp(TINY_MODEL, place.path('one'), { recursive: true });
  await cp(TINY_MODEL, place.path('two'), { recursive: true });
  await writeFile(place.path('two', 'prompts.json'), '["a photo of a {}"]');
  await writeFile(place.path('categories.txt'), 'dog\nwolf\n');
  await writeCorpus(place.path('images'), 2, 0);
});
afterAll(() => place.clear());

const c2srt = (...args: string[]): Promise<CliResult> => runCli(args, { cwd: place.dir });
const json = async (...args: string[]): Promise<Record<string, unknown>> => {
  const result = await c2srt(...args, '--json');
  expect(result.code, result.stderr).toBe(0);
  return jsonOf(result);
};
const tag = (): Promise<CliResult> =>
  c2srt(
    'tag',
    'images',
    '--categories',
    'categories.txt',
    '--out',
    'out',
    '--model',
    'models/scenes',
    '--json',
  );

it('a run keeps to the version that the alias named when it was started', async () => {
  const one = await json('model', 'publish', 'one', '--to', 'models/scenes');
  const two = await json('model', 'publish', 'two', '--to', 'models/scenes', '--reason', 'other prompts');
  const shown = await c2srt('model', 'list', 'models/scenes');
  expect(shown.stdout).toMatch(new RegExp(`'${String(two['model']).slice(0, 12)}' .* 'production'`));

  const tagged = await tag();
  expect(tagged.code, tagged.stderr).toBe(0);
  expect(await readRunRecord(openStore(place.path('out')))).toMatchObject({ spec: { model: two['uri'] } });
  expect(await json('model', 'rollback', 'models/scenes')).toMatchObject({
    alias: { model: one['model'], previous: null, by: 'rollback' },
  });
  const other = await tag();
  expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('[Run.Different]') as string });
  expect(other.stderr).toContain(`model: "${String(two['uri'])}" -> "${String(one['uri'])}"`);

  const digits = String(two['model']).slice(0, 8);
  expect(await json('model', 'promote', 'models/scenes', digits)).toMatchObject({
    moved: true,
    alias: { model: two['model'], previous: one['model'] },
  });
  const lineage = await c2srt('lineage', 'models/scenes');
  expect(lineage.code, lineage.stderr).toBe(0);
  expect(lineage.stdout.split('\n')[0]).toBe(two['uri']);
  expect(lineage.stdout).toMatch(/^ {2}took the place of\n {4}file:.*\n {6}published {2}.*, by publish$/m);
}, 240_000);
