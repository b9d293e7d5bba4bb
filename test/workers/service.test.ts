import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { openModelFolder } from '../../model/modelFolder.ts';
import type { Vocabulary } from '../../model/tagger.ts';
import { startInference, type InferenceService } from '../../workers/inference/service.ts';

const model = openModelFolder(join('test/golden/tiny', 'clip'));
const imageBytes = model.preprocess.cropSize ** 2 * 3;
const d = model.config.projection_dim;

let service: InferenceService | undefined;
afterEach(() => service?.close());
const start = (batchSize?: number): InferenceService =>
  (service = startInference({ device: { provider: 'cpu', threads: 1 }, batchSize }));

/** Categories whose features are axes. */
const axes = (asked: number): Vocabulary => {
  const text = new Float32Array(asked * d);
  for (let i = 0; i < asked; i++) text[i * d + i] = 1;
  return { text, asked, edges: [], hopOffsets: [asked] };
};

const pixels = (images: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: images * imageBytes }, (_, i) => (i * 31 + Math.floor(i / imageBytes) * 7) % 256);

test('several taggers at once give what each gives alone', async () => {
  const inference = start(4);
  const [three, five] = await Promise.all([
    inference.tagger('three', model, [axes(3)], { embedding: false }),
    inference.tagger('five', model, [axes(5)], { embedding: true }),
  ]);
  expect([three.batchSize, five.batchSize]).toEqual([4, 4]);
  const [a, b, c] = await Promise.all([three.run(pixels(4)), five.run(pixels(4)), three.run(pixels(2))]);
  expect([a.scores.length, b.scores.length, c.scores.length]).toEqual([12, 20, 6]);
  expect(a.embeddings).toBeUndefined();
  expect(b.embeddings).toHaveLength(4 * d);
  expect(c.scores).toEqual(a.scores.slice(0, 6));
  for (let image = 0; image < 4; image++)
    expect(b.scores.slice(image * 5, image * 5 + 3)).toEqual(a.scores.slice(image * 3, image * 3 + 3));
});

test('a tagger is shared, outlives one of its users, and can be opened again after all have left', async () => {
  const inference = start(2);
  const first = await inference.tagger('shared', model, [axes(3)], { embedding: false });
  const second = await inference.tagger('shared', model, [axes(3)], { embedding: false });
  const { scores } = await first.run(pixels(2));
  await first.release();
  expect((await second.run(pixels(2))).scores).toEqual(scores);
  await second.release();
  // Two more keys push it out of what is kept open.
  for (const key of ['other', 'another'])
    await (await inference.tagger(key, model, [axes(4)], { embedding: false })).release();
  const again = await inference.tagger('shared', model, [axes(3)], { embedding: false });
  expect((await again.run(pixels(2))).scores).toEqual(scores);
});

test('a tagger that cannot be opened says why, and the thread goes on', async () => {
  const inference = start(2);
  const missing = { ...model, dir: join(model.dir, 'missing') };
  await expect(inference.tagger('bad', missing, [axes(3)], { embedding: false })).rejects.toMatchObject({
    code: 'Model.NotFound',
  });
  const good = await inference.tagger('bad', model, [axes(3)], { embedding: false });
  expect((await good.run(pixels(1))).scores).toHaveLength(3);
});

test('close lets what was asked before finish, and refuses what comes after', async () => {
  const inference = start(8);
  const tagger = await inference.tagger('k', model, [axes(3)], { embedding: false });
  const runs = Array.from({ length: 5 }, () => tagger.run(pixels(8)));
  await inference.close();
  for (const { scores } of await Promise.all(runs)) expect(scores).toHaveLength(24);
  await expect(tagger.run(pixels(1))).rejects.toMatchObject({ code: 'Device.ThreadEnded' });
});

test('a process that closes in the middle of a run exits with its own code', async () => {
  const program = resolve('test/workers/closeInRun.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [program, model.dir]);
  expect(stdout).toBe('closed\n');
});
