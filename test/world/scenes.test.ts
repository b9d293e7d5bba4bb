/** What scenes show and what their truth says, over a few hundred of each domain. */
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { randomStream } from '../../data/random.ts';
import { openIconSets, type IconSet } from '../../data/world/art/iconSet.ts';
import { createSprites } from '../../data/world/art/sprites.ts';
import { DOMAINS, type Domain } from '../../data/world/art/styles.ts';
import { labelsOf, WORLD_CATEGORIES } from '../../data/world/recipe/categories.ts';
import { CONTEXT_NAMES } from '../../data/world/recipe/kinds.ts';
import { OBJECT_NAMES, OBJECTS, type WorldObject } from '../../data/world/recipe/objects.ts';
import { describeScene } from '../../data/world/scene/captions.ts';
import { planScene, SCENE_PX, type ScenePlan } from '../../data/world/scene/plan.ts';
import { LABELLED_PX, makeScene, type Scene, type SeenObject } from '../../data/world/scene/scene.ts';

const KIND = new Map(WORLD_CATEGORIES.map(({ name, kind }) => [name, kind]));

let sets: IconSet[];
beforeAll(async () => {
  sets = await openIconSets('test');
});

const plans = (domain: Domain, count: number): ScenePlan[] =>
  Array.from({ length: count }, (_, i) => planScene(randomStream('plans', i), domain, sets));

describe.each([
  { domain: 'web', objects: [1, 3], sizes: [20, 88] },
  { domain: 'target', objects: [1, 6], sizes: [10, 80] },
] as const)('plans of $domain scenes', ({ domain, objects, sizes }) => {
  const drawn = plans.bind(undefined, domain, 4000);

  it('have as many objects, of such sizes, as the recipe says', () => {
    const counts = drawn().map((plan) => plan.objects.length);
    expect([Math.min(...counts), Math.max(...counts)]).toEqual(objects);
    const found = drawn().flatMap((plan) => plan.objects.map(({ size }) => size));
    expect(Math.min(...found)).toBeGreaterThanOrEqual(sizes[0]);
    expect(Math.max(...found)).toBeLessThanOrEqual(sizes[1]);
    // Log-uniform: half of them are below the geometric mean.
    const small = found.filter((size) => size < Math.sqrt(sizes[0] * sizes[1])).length / found.length;
    expect(small).toBeCloseTo(0.5, 1);
  });

  it('draw every context alike, and 72 % or a little more of the objects from what is typical of it', () => {
    const all = drawn();
    const contexts = Map.groupBy(all, ({ context }) => context);
    expect(contexts.size).toBe(21);
    for (const some of contexts.values())
      expect(Math.abs(some.length / all.length - 1 / 21)).toBeLessThan(0.015);
    const typical = all.flatMap(({ context, objects }) =>
      objects.map(({ name }) => (OBJECTS[name] as WorldObject).contexts.includes(context)),
    );
    // A sibling, or any object, may be typical too.
    const share = typical.filter(Boolean).length / typical.length;
    expect(share).toBeGreaterThan(0.72);
    expect(share).toBeLessThan(0.84);
  });
});

/** Whether each pixel is the object's, row by row. */
function visibleMask({ visibleRuns }: SeenObject): Uint8Array {
  const mask = new Uint8Array(SCENE_PX * SCENE_PX);
  let at = 0;
  for (const [i, length] of visibleRuns.entries()) mask.fill(i % 2, at, (at += length));
  expect(at).toBe(mask.length);
  return mask;
}

describe.each(DOMAINS)('%s scenes', (domain) => {
  let scenes: Scene[];
  beforeAll(async () => {
    const sprites = createSprites();
    scenes = await Promise.all(
      Array.from({ length: 150 }, (_, index) =>
        makeScene({ domain, split: 'test', seed: 5, index }, sets, sprites),
      ),
    );
  }, 60_000);

  it('are JPEGs of 96 x 96', async () => {
    const { format, width, height } = await sharp(scenes[0]!.jpeg).metadata();
    expect({ format, width, height }).toEqual({ format: 'jpeg', width: 96, height: 96 });
  });

  it('have boxes inside the image, tight around the visible pixels, which belong to one object each', () => {
    for (const { truth } of scenes) {
      const owners = new Uint8Array(SCENE_PX * SCENE_PX);
      for (const object of truth.objects) {
        const mask = visibleMask(object);
        const at = [...mask.keys()].filter((pixel) => mask[pixel] === 1);
        for (const pixel of at) {
          expect(owners[pixel]).toBe(0);
          owners[pixel] = 1;
        }
        expect(at.length).toBe(object.visiblePixels);
        if (object.box === null) {
          expect(at).toEqual([]);
          continue;
        }
        const columns = at.map((pixel) => pixel % SCENE_PX);
        const rows = at.map((pixel) => Math.floor(pixel / SCENE_PX));
        const [left, top, width, height] = object.box;
        expect([left, left + width - 1]).toEqual([Math.min(...columns), Math.max(...columns)]);
        expect([top, top + height - 1]).toEqual([Math.min(...rows), Math.max(...rows)]);
      }
    }
  });

  it('are labelled with what is seen and with nothing else', () => {
    for (const { truth } of scenes) {
      const seen = truth.objects.filter(({ visiblePixels }) => visiblePixels >= LABELLED_PX);
      expect(seen.length).toBeGreaterThan(0);
      expect(truth.labels).toEqual(labelsOf(new Set(seen.map(({ name }) => name)), truth.context));
    }
  });

  it('differ where their objects are: what is painted is where the truth says', async () => {
    const { jpeg, truth } = scenes.find(({ truth }) => truth.objects.some((o) => o.visiblePixels > 1500))!;
    const object = truth.objects.find(({ visiblePixels }) => visiblePixels > 1500)!;
    const mask = visibleMask(object);
    const { data } = await sharp(jpeg).raw().toBuffer({ resolveWithObject: true });
    const mean = (inside: 0 | 1): number[] => {
      const pixels = [...mask.keys()].filter((pixel) => mask[pixel] === inside);
      return [0, 1, 2].map(
        (c) => pixels.reduce((sum, pixel) => sum + data[3 * pixel + c]!, 0) / pixels.length,
      );
    };
    const [within, without] = [mean(1), mean(0)];
    expect(Math.hypot(...within.map((value, c) => value - without[c]!))).toBeGreaterThan(15);
  });

  it('have captions and mentions that the tokenizer of the demo knows, where they have any', () => {
    const said = scenes.flatMap(({ said }) => (said === null ? [] : [said]));
    expect(said.length).toBe(domain === 'web' ? scenes.length : 0);
    const known = new Set(
      Object.keys(
        (JSON.parse(readFileSync('assets/demo/model/tokenizer.json', 'utf8')) as Tokenizer).model.vocab,
      ),
    );
    const words = said
      .flatMap((one) => [...one.captions, ...one.mentions])
      .flatMap((text) => text.split(' '));
    expect([...new Set(words.map((word) => word.toLowerCase()))].filter((word) => !known.has(word))).toEqual(
      [],
    );
  });

  it('are the same at any time and beside any others', async () => {
    const again = await makeScene({ domain, split: 'test', seed: 5, index: 7 }, sets, createSprites());
    expect(again).toEqual(scenes[7]);
    const other = await makeScene({ domain, split: 'test', seed: 6, index: 7 }, sets, createSprites());
    expect(other.truth).not.toEqual(scenes[7]!.truth);
  });
});

interface Tokenizer {
  model: { vocab: Record<string, number> };
}

it('says of web scenes what the recipe says, as often', async () => {
  const sprites = createSprites();
  const scenes = await Promise.all(
    Array.from({ length: 300 }, (_, index) =>
      makeScene({ domain: 'web', split: 'test', seed: 1, index }, sets, sprites),
    ),
  );
  const captions = scenes.flatMap(({ said, truth }) => said!.captions.map((text) => ({ text, truth })));
  const share = (is: (caption: (typeof captions)[number]) => boolean): number =>
    captions.filter(is).length / captions.length;
  // No dog is a hot dog, and no sea a sea creature.
  const words = [...KIND.keys()].map((name) => ({
    name,
    pattern: new RegExp(`(^| )(?<!hot )${name}(?! creature)( |$)`),
  }));
  const named = (text: string): string[] =>
    words.filter(({ pattern }) => pattern.test(text)).map(({ name }) => name);
  expect(Math.abs(share(({ text }) => / (at|in) the | at night|underwater/.test(text)) - 0.45)).toBeLessThan(
    0.06,
  );
  // A false object may be there after all, or be said by its kind.
  const isFalse = share(({ text, truth }) =>
    named(text).some((name) => KIND.get(name) !== 'context' && !truth.labels.includes(name)),
  );
  expect(isFalse).toBeGreaterThan(0.02);
  expect(isFalse).toBeLessThan(0.08);
  expect(share(({ text }) => named(text).some((name) => KIND.get(name) === 'hypernym'))).toBeGreaterThan(0.1);
}, 60_000);

it('says every category, so that none is a word without a meaning', () => {
  const said = CONTEXT_NAMES.flatMap((context, i) =>
    OBJECT_NAMES.flatMap((name, j) => {
      const stream = randomStream('said', i, j);
      const { captions, mentions } = describeScene(stream, { context, objects: new Map([[name, 2000]]) });
      return [...captions, ...mentions];
    }),
  );
  const all = ` ${said.join(' ; ')} `;
  expect([...KIND.keys()].filter((name) => !all.includes(` ${name} `))).toEqual([]);
});

it('keeps the plans of its generator: whoever changes them raises its number', () => {
  const told = plans('target', 200).map(({ context, objects }) => [
    context,
    ...objects.map(({ name, icon, x, y, size }) => [name, icon, x, y, size].join(' ')),
  ]);
  expect(createHash('sha256').update(JSON.stringify(told)).digest('hex')).toMatchInlineSnapshot(
    `"343050da5f7ca056de29921d1ea5c44009ef3196db5e2f1adc0f057176fe18e5"`,
  );
});
