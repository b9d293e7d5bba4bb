import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { encodeSafetensors, openSafetensors, readFloats } from '../../data/safetensors.ts';
import { encodeCategories } from '../../model/clip/textEncoder.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import { createTagger } from '../../model/tagger.ts';

const device = { provider: 'cpu', threads: 1 } as const;
const golden = new URL('../golden/', import.meta.url).pathname;
const root = mkdtempSync(join(tmpdir(), 'c2srt-model-'));
afterAll(() => rmSync(root, { recursive: true }));
let serial = 0;

/** A copy of the tiny checkpoint, changed. */
function copy(change: (dir: string) => void, from = 'tiny'): string {
  const dir = join(root, String(serial++));
  cpSync(`${golden}${from}/clip`, dir, { recursive: true });
  change(dir);
  return dir;
}

const editJson = (dir: string, name: string, edit: (json: Record<string, unknown>) => void): void => {
  const file = join(dir, name);
  const json = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  edit(json);
  writeFileSync(file, JSON.stringify(json));
};

/** Scores of two fixed images for three categories. */
async function scores(dir: string): Promise<number[]> {
  const model = openModelFolder(dir);
  const categories = ['dog', 'red apple', 'fire engine'].map((name) => ({ name }));
  const text = await encodeCategories(model, categories, device);
  const tagger = await createTagger(model, [{ text, asked: 3, edges: [], hopOffsets: [3] }], device, {
    batchSize: 2,
    embedding: false,
  });
  const result = await tagger.run(
    Uint8Array.from({ length: 2 * tagger.imageBytes }, (_, i) => (i * 31) % 256),
  );
  await tagger.release();
  return [...result.scores];
}

describe('layouts of a checkpoint', () => {
  test('behind symbolic links, as the hub cache keeps it, the scores are the same', async () => {
    const blobs = join(root, 'blobs');
    const snapshot = join(root, 'snapshot');
    mkdirSync(blobs);
    mkdirSync(snapshot);
    for (const [i, name] of readdirSync(`${golden}tiny/clip`).entries()) {
      cpSync(`${golden}tiny/clip/${name}`, join(blobs, `blob${i}`));
      symlinkSync(`../blobs/blob${i}`, join(snapshot, name));
    }
    expect(await scores(snapshot)).toEqual(await scores(`${golden}tiny/clip`));
  });

  test('in several files with an index, the scores are the same', async () => {
    const dir = copy((folder) => {
      const tensors = [...openSafetensors(join(folder, 'model.safetensors')).values()];
      const weightMap: Record<string, string> = {};
      for (const [i, part] of [
        tensors.filter((_, n) => n % 2 === 0),
        tensors.filter((_, n) => n % 2 === 1),
      ].entries()) {
        const name = `model-0000${i + 1}-of-00002.safetensors`;
        writeFileSync(
          join(folder, name),
          encodeSafetensors(
            Object.fromEntries(
              part.map((entry) => [entry.name, { shape: entry.shape, values: readFloats(entry) }]),
            ),
          ),
        );
        for (const { name: tensor } of part) weightMap[tensor] = name;
      }
      rmSync(join(folder, 'model.safetensors'));
      writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }));
    });
    expect(await scores(dir)).toEqual(await scores(`${golden}tiny/clip`));
  });

  test('with vocab.json and merges.txt in place of tokenizer.json, the scores are the same', async () => {
    const dir = copy((folder) => {
      const { model } = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8')) as {
        model: { vocab: object; merges: (string | string[])[] };
      };
      writeFileSync(join(folder, 'vocab.json'), JSON.stringify(model.vocab));
      writeFileSync(
        join(folder, 'merges.txt'),
        [
          '#version: 0.2',
          ...model.merges.map((pair) => (typeof pair === 'string' ? pair : pair.join(' '))),
        ].join('\n'),
      );
      rmSync(join(folder, 'tokenizer.json'));
    });
    expect(await scores(dir)).toEqual(await scores(`${golden}tiny/clip`));
  });

  test('without preprocessor_config.json the model must be one of CLIP at 224', () => {
    const dir = copy((folder) => rmSync(join(folder, 'preprocessor_config.json')));
    expect(() => openModelFolder(dir)).toThrow(expect.objectContaining({ code: 'Model.Unsupported' }));
  });
});

describe('refused, naming the file:', () => {
  const lacking = (name: string) => (dir: string) => rmSync(join(dir, name));
  test.each<[string, string, (dir: string) => void]>([
    ['no config.json', 'Model.NotFound', lacking('config.json')],
    ['no weights', 'Model.NoSafetensors', lacking('model.safetensors')],
    ['no tokenizer', 'Model.Tokenizer', lacking('tokenizer.json')],
    [
      'weights cut off',
      'Safetensors.Invalid',
      (dir) =>
        writeFileSync(
          join(dir, 'model.safetensors'),
          readFileSync(join(dir, 'model.safetensors')).subarray(0, 50_000),
        ),
    ],
    ['config.json is not JSON', 'Model.Unsupported', (dir) => writeFileSync(join(dir, 'config.json'), '{')],
    [
      'another kind of model',
      'Model.Unsupported',
      (dir) => editJson(dir, 'config.json', (c) => (c['model_type'] = 'siglip')),
    ],
    [
      'an unknown activation',
      'Model.Unsupported',
      (dir) =>
        editJson(
          dir,
          'config.json',
          (c) => ((c['vision_config'] as Record<string, unknown>)['hidden_act'] = 'silu'),
        ),
    ],
    [
      'a width that heads do not divide',
      'Model.Unsupported',
      (dir) =>
        editJson(
          dir,
          'config.json',
          (c) => ((c['vision_config'] as Record<string, unknown>)['num_attention_heads'] = 5),
        ),
    ],
    ['prompts without {}', 'Model.Prompts', (dir) => writeFileSync(join(dir, 'prompts.json'), '["a photo"]')],
  ])('%s', (_, code, change) => {
    const dir = copy(change);
    expect(() => openModelFolder(dir)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(dir) as string }),
    );
  });

  test.each<[string, string, (dir: string) => void]>([
    [
      'sizes that are not those of the weights',
      'Model.WeightShape',
      (dir) =>
        editJson(
          dir,
          'config.json',
          (c) => ((c['vision_config'] as Record<string, unknown>)['intermediate_size'] = 100),
        ),
    ],
    [
      'more layers than the weights have',
      'Model.MissingWeight',
      (dir) =>
        editJson(
          dir,
          'config.json',
          (c) => ((c['vision_config'] as Record<string, unknown>)['num_hidden_layers'] = 9),
        ),
    ],
  ])('%s', async (_, code, change) => {
    await expect(scores(copy(change))).rejects.toMatchObject({ code });
  });
});

test("prompts: a category is asked for by its name and aliases, in its own templates or the model's", () => {
  const dir = copy((folder) => writeFileSync(join(folder, 'prompts.json'), '["a {}", "{} and {}"]'));
  const model = openModelFolder(dir);
  expect(model.promptsOf({ name: 'car', aliases: ['$& auto'] })).toEqual([
    'a car',
    'car and car',
    'a $& auto',
    '$& auto and $& auto',
  ]);
  expect(model.promptsOf({ name: 'car', prompts: ['one {}'] })).toEqual(['one car']);
});

describe('a word-level tokenizer', () => {
  const demo = new URL('../../assets/demo/model', import.meta.url).pathname;

  test('gives a word that it does not know its unknown token', () => {
    const { tokenizer } = openModelFolder(demo);
    expect(tokenizer.encode('a photo of café')).toEqual([
      ...tokenizer.encode('a photo of').slice(0, -1),
      0,
      211,
    ]);
  });

  test('without an unknown token says which text it cannot take', () => {
    const dir = join(root, String(serial++));
    cpSync(demo, dir, { recursive: true });
    editJson(dir, 'tokenizer.json', (json) => delete (json['model'] as Record<string, unknown>)['unk_token']);
    expect(() => openModelFolder(dir).tokenizer.encode('a café')).toThrow(
      expect.objectContaining({
        code: 'Model.Tokenizer',
        message: expect.stringContaining('"a café"') as string,
      }),
    );
  });
});
