import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openHeldBackWorld, openWorld, PARTS } from '../../bench/world/data.ts';
import { gainsOf, meanAndSpread, shortfalls } from '../../bench/world/figures.ts';
import type { Agreement } from '../../cli/demo/assets.ts';

const SEEN = Array.from({ length: 9 }, (_, i) => `seen ${i}`);
const UNSEEN = ['unseen 0', 'unseen 1'];

async function writeWorld(dir: string): Promise<void> {
  const categories = [
    ...SEEN.map((name) => ({ name, kind: 'object', split: 'seen' })),
    ...UNSEEN.map((name) => ({ name, kind: 'object', split: 'unseen' })),
  ];
  await writeFile(join(dir, 'categories.json'), JSON.stringify(categories));
  for (const split of ['train', 'val', 'test']) {
    const line = { uri: `${split}/0000.jpg`, labels: [...SEEN, ...UNSEEN] };
    await writeFile(join(dir, `${split}.jsonl`), `${JSON.stringify(line)}\n`);
  }
}

describe('the bundled world', () => {
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'c2srt-world-'));
    await writeWorld(dir);
  });

  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('holds each seen category back in one quarter, and keeps unseen ones out of it all', async () => {
    const heldBack: string[] = [];
    for (let part = 0; part < PARTS; part++) {
      const world = await openHeldBackWorld(dir, dir, part);
      expect(world.categories.map(({ name }) => name)).toEqual(SEEN);
      heldBack.push(...world.categories.filter(({ split }) => split === 'unseen').map(({ name }) => name));
      for (const split of ['train', 'val'] as const)
        expect(JSON.parse(await readFile(world.manifest(split), 'utf8'))).toEqual({
          uri: join(dir, split, '0000.jpg'),
          labels: SEEN,
        });
      expect(world.labels('val').get('0000.jpg')).toEqual(new Set(SEEN));
    }
    expect(heldBack.sort()).toEqual(SEEN);
  });

  it('is taken as it is where nothing is held back', () => {
    const world = openWorld(dir);
    expect(world.categories).toHaveLength(11);
    expect(world.labels('test').get('0000.jpg')!.size).toBe(11);
    expect(world.manifest('train')).toBe(join(dir, 'train.jsonl'));
  });
});

describe('gains', () => {
  const figures = (mAP: number, f1: number) => ({ mAP, 'F1@3': f1, 'F1@5': f1 });
  const agreement = (mAP: number, f1: number): Agreement => ({
    ZSL: figures(mAP, f1),
    GZSL: figures(mAP, f1),
  });

  it('are means over runs with the deviation of a sample, which one run has not', () => {
    expect(meanAndSpread([1, 2, 3])).toEqual({ mean: 2, spread: 1 });
    expect(meanAndSpread([4])).toEqual({ mean: 4, spread: null });
    const { ZSL } = gainsOf(agreement(20, 25), [agreement(21, 29), agreement(23, 31)]);
    expect(ZSL.mAP.mean).toBe(2);
    expect(ZSL['F1@3'].mean).toBe(5);
  });

  it('fall short where they are below the least that the prototype would have given', () => {
    const of = (mAP: number, f1: number) =>
      shortfalls(gainsOf(agreement(20, 25), [agreement(20 + mAP, 25 + f1)]));
    expect(of(1.2, 6)).toEqual([]);
    expect(of(1, 4.2)).toEqual([]);
    expect(of(0.9, 6)).toEqual(['ZSL mAP gains 0.90, less than 0.97']);
    expect(of(1.2, 4)).toEqual(['ZSL F1@3 gains 4.00, less than 4.10']);
  });
});
