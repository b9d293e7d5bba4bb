/**
 * Whether evidence sits on the objects: for each object of each scene of the benchmark world, the share of the area of the
 * patches that ISR keeps for its category which lies inside the object's box, beside what as many patches would have by chance,
 * and as many of those that the class token attends to most. Objects of one category in a scene count as one.
 *
 *     npm run bench -- evidence --world FOLDER --model FOLDER [--images N] [--json FILE]
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { patchGrid } from '../../cli/report/images/pictures.ts';
import { preprocess } from '../../data/images/preprocess.ts';
import { openStore } from '../../data/store/open.ts';
import { parseTruth, type TruthRow } from '../../data/world/truthRow.ts';
import { encodeCategories } from '../../model/clip/textEncoder.ts';
import { createExplainer } from '../../model/evidence/explainer.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import { openClassAttention } from './classAttention.ts';
import { boxMask, highest, meanOf, patchCoverage, type Box } from './coverage.ts';

const DEVICE = { provider: 'cpu' } as const;
const MAX_PIXELS = 1e8;
/** Objects that show less cannot be told apart; the world does not label them either. */
const LEAST_VISIBLE_PIXELS = 16;

const { values: flags } = parseArgs({
  options: {
    world: { type: 'string' },
    model: { type: 'string' },
    images: { type: 'string', default: '1000' },
    json: { type: 'string' },
  },
});
if (flags.world === undefined || flags.model === undefined)
  throw new Error('npm run bench -- evidence --world FOLDER --model FOLDER [--images N] [--json FILE]');

const scenes = await readTruth(flags.world, Number(flags.images));
const model = openModelFolder(flags.model);
const names: string[] = [...new Set(scenes.flatMap(({ objects }) => objects.map(({ name }) => name)))].sort();
const text = await encodeCategories(
  model,
  names.map((name) => ({ name })),
  DEVICE,
);
// Messages change scores, not which patches are kept.
const vocabulary = { text, asked: names.length, edges: [], hopOffsets: [names.length] };
const explainer = await createExplainer(model, DEVICE);
const attention = await openClassAttention(model, DEVICE);

/** Shares of area inside the boxes of one category in one scene. */
interface Measured {
  name: string;
  patches: number;
  kept: number;
  /** Of the most probable patch alone. */
  first: number;
  attended: number;
  chance: number;
}
const measured: Measured[] = [];
const wanted = new Map<
  string,
  {
    features: Awaited<ReturnType<typeof explainer.encode>>[number];
    coverage: Float64Array;
    attended: Float32Array;
  }[]
>();
for (const { uri, objects } of scenes) {
  const body = await readFile(join(flags.world, uri));
  const { pixels, width, height } = await preprocess(body, model.preprocess, MAX_PIXELS);
  const [features] = await explainer.encode(pixels);
  const attended = await attention.run(pixels);
  const grid = patchGrid(width, height, model.preprocess, model.config.vision_config.patch_size);
  const visible = objects.filter(
    ({ box, visiblePixels }) => box !== null && visiblePixels >= LEAST_VISIBLE_PIXELS,
  );
  for (const [name, own] of Map.groupBy(visible, (object) => object.name)) {
    const mask = boxMask(
      own.map(({ box }) => box as Box),
      width,
      height,
    );
    const entry = { features: features!, coverage: patchCoverage(mask, width, height, grid), attended };
    const known = wanted.get(name);
    if (known) known.push(entry);
    else wanted.set(name, [entry]);
  }
}
for (const [name, entries] of wanted) {
  const evidence = await explainer.explain(
    vocabulary,
    names.indexOf(name),
    entries.map(({ features }) => features),
  );
  for (const [i, { coverage, attended }] of entries.entries()) {
    const { patches } = evidence[i]!;
    const share = (indices: readonly number[]) => meanOf(indices.map((index) => coverage[index]!));
    measured.push({
      name,
      patches: patches.length,
      kept: share(patches.map(({ index }) => index)),
      first: share(patches.slice(0, 1).map(({ index }) => index)),
      attended: share(highest(attended, patches.length)),
      chance: meanOf(coverage),
    });
  }
}
await explainer.release();
await attention.release();

const result = {
  scenes: scenes.length,
  objects: measured.length,
  patches: meanOf(measured.map(({ patches }) => patches)),
  kept: figure(({ kept }) => kept),
  first: figure(({ first }) => first),
  attended: figure(({ attended: share }) => share),
  chance: figure(({ chance }) => chance),
  overChance: figure(({ kept, chance }) => kept - chance),
  overAttended: figure(({ kept, attended: share }) => kept - share),
};
console.log(
  `${result.objects} objects in ${result.scenes} scenes; ${result.patches.toFixed(1)} patches kept for each\n`,
);
console.log("share of area inside the object's box, percent (standard error)");
for (const [title, value] of [
  ['kept patches', result.kept],
  ['most probable patch', result.first],
  ['class attention', result.attended],
  ['chance', result.chance],
  ['kept over chance', result.overChance],
  ['kept over attention', result.overAttended],
] as const)
  console.log(
    `  ${title.padEnd(20)} ${(100 * value.mean).toFixed(1).padStart(5)} (${(100 * value.error).toFixed(1)})`,
  );
if (flags.json !== undefined) await writeFile(flags.json, JSON.stringify({ ...result, measured }, null, 1));

function figure(of: (entry: Measured) => number): { mean: number; error: number } {
  const values = measured.map(of);
  const mean = meanOf(values);
  const variance = meanOf(values.map((value) => (value - mean) ** 2));
  return { mean, error: Math.sqrt(variance / values.length) };
}

async function readTruth(world: string, limit: number): Promise<TruthRow[]> {
  const store = openStore(world);
  const rows: TruthRow[] = [];
  for await (const { key } of store.list({ prefix: 'truth/' })) {
    rows.push(...parseTruth(Buffer.from((await store.get(key)).body).toString()));
    if (rows.length >= limit) break;
  }
  return rows.slice(0, limit);
}
