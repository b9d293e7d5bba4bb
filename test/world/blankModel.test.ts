import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStore } from '../../data/store/open.ts';
import { putBlankModel } from '../../data/world/blankModel.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'c2srt-blank-'));
  await putBlankModel(openStore(folder));
});
afterAll(() => rm(folder, { recursive: true }));

const json = async (...path: string[]): Promise<unknown> => JSON.parse(await readFile(join(...path), 'utf8'));

it.each(['tokenizer.json', 'preprocessor_config.json', 'prompts.json'])(
  'is what the bundled model was before it was trained: %s',
  async (name) => expect(await json(folder, name)).toEqual(await json('assets/demo/model', name)),
);

it('has the sizes of the bundled model', async () => {
  const bundled = await json('assets/demo/model/config.json');
  expect(bundled).toMatchObject((await json(folder, 'config.json')) as object);
});
