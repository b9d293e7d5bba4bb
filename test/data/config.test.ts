/** The configuration file: settings, and the sections of trainings. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadSection, loadSettings } from '../../data/config/load.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'c2srt-config-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

let files = 0;
const file = async (text: string): Promise<string> => {
  const path = join(dir, `${++files}.yaml`);
  await writeFile(path, text);
  return path;
};

describe('a section', () => {
  it('is flags over the file over defaults, and beside the settings', async () => {
    const path = await file('shardSize: 7\ntrain:\n  epochs: 5\n  seed: 2\npretrain: { rate: 0.01 }\n');
    expect(loadSection('train', { seed: '9', form: 'plain' }, path)).toMatchObject({
      ...{ epochs: 5, seed: 9, form: 'plain', batchSize: 64, trainedBlocks: 1 },
    });
    expect(loadSection('pretrain', {}, path)).toMatchObject({ rate: 0.01, weightDecay: 0.1, epochs: 3 });
    expect(loadSettings({}, {}, path)).toMatchObject({ shardSize: 7 });
  });

  it('that is empty, or not there, has the defaults', async () => {
    const defaults = loadSection('train', {}, await file(''));
    expect(loadSection('train', {}, await file('train:\n'))).toEqual(defaults);
  });

  it.each([
    ['train:\n  epoch: 3\n', {}, /^train in \S+ has no setting called epoch\.$/, /epochs, seed/],
    ['train:\n  rate: 3\n', {}, /has no setting called rate/, /Settings are/],
    ['train:\n  epochs: none\n', {}, /^train\.epochs in \S+ is "none": /, /Passes over the images/],
    ['train:\n  ist: "false"\n', {}, /^train\.ist in \S+ is "false": /, /inform each other/],
    ['', { trainedBlocks: '-1' }, /^--trained-blocks is "-1": /, /Last blocks/],
    ['', { unlisted: 'maybe' }, /^--unlisted is "maybe": /, /does not list/],
    ['train: [1]\n', {}, /^train in \S+ must hold settings by name/, /epochs: 3/],
  ])('%j with flags %j is refused', async (text, flags, message, hint) => {
    const path = await file(text);
    expect(() => loadSection('train', flags, path)).toThrow(
      expect.objectContaining({
        code: 'Config.Invalid',
        message: expect.stringMatching(message) as string,
        hint: expect.stringMatching(hint) as string,
      }),
    );
  });
});

describe('the file', () => {
  it('knows sections beside settings, and nothing else', async () => {
    const path = await file('trian:\n  epochs: 3\n');
    expect(() => loadSettings({}, {}, path)).toThrow(/has no setting called trian/);
  });

  it('must be there where it is named', () => {
    expect(() => loadSettings({}, {}, join(dir, 'nothing.yaml'))).toThrow(
      expect.objectContaining({ code: 'Config.NotFound' }),
    );
  });
});
