/** One shard whose rounds are merged with step 1 and no momentum is plain training; and shards are halves of a batch. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isSeen, parseCategories } from '../../data/categories.ts';
import { trainSettingsSchema } from '../../data/config/trainSchema.ts';
import { parseGraph } from '../../data/graphFile.ts';
import { DEFAULT_IMAGE_LIMITS } from '../../data/images/limits.ts';
import { preprocess } from '../../data/images/preprocess.ts';
import { readSnapshotRows } from '../../data/dataset/snapshot.ts';
import type { SnapshotRow } from '../../data/dataset/snapshotRow.ts';
import { snapshotFolder } from '../../data/training/trainLayout.ts';
import { openSafetensors, readBytes, readFloats } from '../../data/safetensors.ts';
import { openStore } from '../../data/store/open.ts';
import { subgraph } from '../../data/subgraph.ts';
import { encodeCategories } from '../../model/clip/textEncoder.ts';
import { initialHead } from '../../model/head/initialise.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import { createActivationEncoder, type ActivationEncoder } from '../../model/ranking/activations.ts';
import { initialState } from '../../model/train/adamw.ts';
import { batchRows, type DataOrder } from '../../model/train/dataOrder.ts';
import type { Objective } from '../../model/train/objective.ts';
import { encoderParameters, type Parameters } from '../../model/train/parameters.ts';
import { createRankingObjective, type RankingBatch } from '../../model/ranking/rankingObjective.ts';
import { rateShare } from '../../model/train/schedule.ts';
import { createTrainer } from '../../model/train/trainer.ts';
import { runCli } from '../support/cli.ts';
import {
  DEMO_CATEGORIES,
  DEMO_GRAPH,
  DEMO_MODEL,
  scenes,
  trainDemo,
  writeManifest,
} from '../support/demoTraining.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const IMAGES = 40;
const BATCH = 8;
const STEPS = 10;
/** Not the number of threads that the command takes: it has no influence on the bits. */
const DEVICE = { provider: 'cpu', threads: 1 } as const;
const SEED = 3;
const SETTINGS = {
  ...{ outerStep: 1, outerMomentum: 0, validationShare: 0, seed: SEED },
  ...{ batchSize: BATCH, epochs: 2, localSteps: 4, warmupSteps: 3, trainedBlocks: 2 },
};

const model = openModelFolder(DEMO_MODEL);
const { config } = model;
const settings = trainSettingsSchema.parse(SETTINGS);

let place: Workplace;
let encoder: ActivationEncoder;
let objective: Objective<RankingBatch>;
/** The snapshot's images, in its order. */
let rows: SnapshotRow[];
/** Of the categories, by their indices in the file; null: unseen. */
let seenIndex: (number | null)[];
let start: Parameters;

beforeAll(async () => {
  place = await makeWorkplace();
  await writeManifest(place.path('train.jsonl'), scenes(0, IMAGES));
  await writeFile(place.path('c2srt.yaml'), JSON.stringify({ train: SETTINGS }));
  const command = await runCli(trainDemo('out', '--json'), { cwd: place.dir });
  expect(command.code, command.stderr).toBe(0);
  expect(JSON.parse(command.stdout)).toMatchObject({ rounds: 3, bestRound: 3, best: null });
  rows = await readSnapshotRows(openStore(place.path('out')), snapshotFolder('train'), 0, IMAGES);

  const categories = parseCategories(await readFile(DEMO_CATEGORIES), DEMO_CATEGORIES);
  const seen = categories.filter(isSeen);
  seenIndex = categories.map((category) => (isSeen(category) ? seen.indexOf(category) : null));
  const names = seen.map(({ name }) => name);
  const graph = parseGraph(await readFile(DEMO_GRAPH), DEMO_GRAPH);
  const headShape = { layers: settings.layers, heads: settings.heads };
  start = encoderParameters(model.tensors, config.vision_config.num_hidden_layers, SETTINGS.trainedBlocks);
  for (const [name, values] of initialHead(settings.form, headShape, config.projection_dim, SEED))
    start.set(name, values);
  const { form, isr, patches, tau, alpha, cap, margin, scale, distillation, maxCategories } = settings;
  objective = await createRankingObjective(
    {
      config,
      head: { form, isr, patches, tau, alpha, cap },
      headShape,
      parameters: start,
      trainedBlocks: SETTINGS.trainedBlocks,
      text: await encodeCategories(model, seen, DEVICE),
      edges: subgraph(graph, names, new Set(names), headShape.layers).edges,
      loss: { margin, scale, distillation },
      maxCategories,
      microBatch: 2 * BATCH,
    },
    DEVICE,
  );
  encoder = await createActivationEncoder(model, SETTINGS.trainedBlocks, DEVICE);
});
afterAll(async () => {
  await objective.release();
  await encoder.release();
  await place.clear();
});

/** Images by their rows in the snapshot, as a step takes them. */
async function batchOf(numbers: ArrayLike<number>): Promise<RankingBatch> {
  const own = Array.from(numbers, (row) => rows[row]!);
  const side = model.preprocess.cropSize;
  const pixels = new Uint8Array(own.length * side * side * 3);
  for (const [i, { uri }] of own.entries()) {
    const body = await readFile(fileURLToPath(uri));
    const decoded = await preprocess(body, model.preprocess, DEFAULT_IMAGE_LIMITS.maxPixels);
    pixels.set(decoded.pixels, i * side * side * 3);
  }
  const labels = own.map(({ present }) => ({
    present: present.map((category) => seenIndex[category]!),
    absent: null,
  }));
  return { ...(await encoder.run(pixels)), labels, sample: [] };
}

it('a training of one shard has the bits of a plain loop', async () => {
  const { beta1, beta2, epsilon, weightDecay, schedule: kind, warmupSteps } = settings;
  const trainer = await createTrainer(
    objective,
    start,
    {
      ...{ beta1, beta2, epsilon, weightDecay },
      decays: () => true,
      groupOf: (name) => (name.startsWith('head.') ? 'head' : 'encoder'),
    },
    DEVICE,
  );
  const rowsOf = batchRows({ images: IMAGES, shards: 1, batchSize: BATCH, seed: SEED }, 0);
  let state = initialState(start);
  for (let step = 0; step < STEPS; step++) {
    const share = rateShare(step, { kind, warmupSteps, steps: STEPS });
    const rates = { encoder: settings.encoderRate * share, head: settings.headRate * share };
    ({ state } = await trainer.step(state, await batchOf(rowsOf(step)), rates));
  }

  const trained = openSafetensors(place.path('out', 'model.safetensors'));
  expect([...trained.keys()].sort()).toEqual([...new Set([...model.tensors.keys(), ...start.keys()])].sort());
  for (const [name, entry] of trained) {
    const own = state.parameters.get(name);
    if (!own) {
      expect(Buffer.compare(readBytes(entry), readBytes(model.tensors.get(name)!)), name).toBe(0);
      continue;
    }
    const { buffer, byteOffset, byteLength } = own.values;
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    // Equality of floats would let a zero of the other sign pass.
    expect(Buffer.compare(readBytes(entry), bytes), name).toBe(0);
    expect(entry.type, name).toBe('F32');
    expect(readFloats(entry), name).not.toEqual(start.get(name)!.values);
  }
});

it("the mean of two shards' first gradients is the gradient of a batch of both", async () => {
  const order: DataOrder = { images: IMAGES, shards: 2, batchSize: BATCH, seed: SEED };
  const first = [0, 1].map((shard) => [...batchRows(order, shard)(0)]);
  expect(new Set(first.flat()).size).toBe(2 * BATCH);
  const gradientsOf = async (numbers: readonly number[]) =>
    (await objective.gradients(start, await batchOf(numbers))).gradients;
  const [one, other] = [await gradientsOf(first[0]!), await gradientsOf(first[1]!)];
  const both = await gradientsOf(first.flat());
  let largest = 0;
  for (const [name, values] of both)
    for (const [i, value] of values.entries()) {
      const mean = (one.get(name)![i]! + other.get(name)![i]!) / 2;
      if (Math.abs(mean - value) > 1e-5) expect.fail(`${name}[${i}]: ${mean}, not ${value}`);
      largest = Math.max(largest, Math.abs(value));
    }
  // That they are not all next to nothing.
  expect(largest).toBeGreaterThan(0.1);
});
