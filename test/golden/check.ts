/**
 * Checks our model against a folder of golden files: numbers that the PyTorch reference computed. Works on any folder
 * of that layout (test/golden/README.md), whatever its sizes.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { parseGraph, RELATIONS } from '../../data/graphFile.ts';
import { preprocess } from '../../data/images/preprocess.ts';
import { openSafetensors, readFloats, type TensorEntry } from '../../data/safetensors.ts';
import type { HeadSettings } from '../../model/clip/config.ts';
import { encodeTokenIds, unitMean } from '../../model/clip/textEncoder.ts';
import { encodeImages, normalise } from '../../model/clip/vision.ts';
import { checkpointWeights, weightsFolder } from '../../model/clip/weights.ts';
import { scoreCategories } from '../../model/head/head.ts';
import { neighbourInputs, neighbourTables } from '../../model/head/neighbours.ts';
import { headShape } from '../../model/head/shape.ts';
import { evaluate, type F1 } from '../../model/metrics.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import { Graph, type Tensor } from '../../model/onnx/graph.ts';
import { createSession, type DeviceOptions } from '../../model/onnx/session.ts';
import { neighbourFeeds } from '../../model/head/neighbours.ts';
import { goldenEdges } from './edges.ts';
import { safeChoices } from './margin.ts';
import { checkTraining } from './training.ts';
import { compareDirections, compareIds, compareSets, compareValues, type Comparison } from './compare.ts';

const FORMS = ['anchored', 'residual', 'plain'] as const;

/** Absolute tolerance of encoder tensors and of the head's trace on CPU; ten times wider on other providers. */
const TOLERANCE = 1e-4;
const MIN_COSINE = 0.999;
const METRIC_TOLERANCE = 1e-6;
const MAX_PIXELS = 1e8;

/** What a choice of patches is made from: the largest error of these is a provider's token error. */
const TOKENS: ReadonlySet<string> = new Set(['encoder text', 'encoder patches']);

export interface GoldenReport {
  comparisons: Comparison[];
  /** Golden files that this check does not cover. */
  unchecked: string[];
}

/** Checks every golden file in `dir`. Throws where the folder lacks the files that every golden folder has. */
export async function checkGolden(dir: string, device: DeviceOptions): Promise<GoldenReport> {
  const scale = device.provider === 'cpu' ? 1 : 10;
  const comparisons = [
    ...(await checkText(dir, device, scale)),
    ...(await checkEncoder(dir, device, scale)),
    ...checkMetrics(dir),
  ];
  const tokenError = Math.max(...comparisons.filter(({ name }) => TOKENS.has(name)).map(({ error }) => error));
  for (const form of FORMS) {
    if (existsSync(join(dir, `head-${form}.safetensors`))) comparisons.push(...(await checkHead(dir, form, device, scale, tokenError)));
    if (existsSync(join(dir, `train-${form}.safetensors`))) comparisons.push(...(await checkTraining(dir, form, device, scale)));
  }
  const covered = new Set(['text.json', 'encoder.safetensors', 'graph.json', 'metrics.json', ...FORMS.flatMap((form) => [`head-${form}.safetensors`, `train-${form}.safetensors`])]);
  const unchecked = readdirSync(dir).filter((name) => /\.(safetensors|json)$/.test(name) && !covered.has(name));
  return { comparisons, unchecked };
}

interface TextGolden {
  categories: string[];
  prompts: string[];
  tokenized: { text: string; ids: number[] }[];
  categoryIds: number[][][];
}

async function checkText(dir: string, device: DeviceOptions, scale: number): Promise<Comparison[]> {
  const model = openModelFolder(join(dir, 'clip'));
  const golden = readJson(dir, 'text.json') as TextGolden;
  const encoder = openSafetensors(join(dir, 'encoder.safetensors'));
  const d = model.config.projection_dim;
  const promptsPerCategory = golden.prompts.length;
  const ids = golden.categories.flatMap((name) =>
    model.promptsOf({ name, prompts: golden.prompts }).map((prompt) => model.tokenizer.encode(prompt)),
  );
  const features = await encodeTokenIds(model, ids, device);
  const means = golden.categories.flatMap((_, c) => [
    ...unitMean(features.subarray(c * promptsPerCategory * d, (c + 1) * promptsPerCategory * d), d),
  ]);
  return [
    compareIds('text.json tokenized', golden.tokenized.map(({ text }) => model.tokenizer.encode(text)), golden.tokenized.map((t) => t.ids)),
    compareIds('text.json categoryIds', ids, golden.categoryIds.flat()),
    compareValues('encoder prompt_features', features, readFloats(entry(encoder, 'prompt_features')), TOLERANCE * scale),
    compareValues('encoder text', means, readFloats(entry(encoder, 'text')), TOLERANCE * scale),
  ];
}

async function checkEncoder(dir: string, device: DeviceOptions, scale: number): Promise<Comparison[]> {
  const golden = openSafetensors(join(dir, 'encoder.safetensors'));
  const model = openModelFolder(join(dir, 'clip'));
  const side = model.preprocess.cropSize;
  const d = model.config.projection_dim;

  /** f_G and patches of a batch, from `float32` pixels as the encoder takes them or `uint8` ones as decoding gives them. */
  const encode = async (dtype: 'float32' | 'uint8', data: Float32Array | Uint8Array, shape: number[]) => {
    const graph = new Graph('encoder');
    const input = graph.input('pixels', dtype, ['B', ...shape.slice(1)]);
    const { rescaleFactor, mean, std } = model.preprocess;
    const pixels = dtype === 'uint8' ? normalise(input, { scale: rescaleFactor, mean, std }) : input;
    const tokens = encodeImages(pixels, model.config, checkpointWeights(graph, model.tensors, model.dir));
    graph.output('global', tokens.global);
    graph.output('patches', tokens.patches);
    return run(graph, device, model.weightsFolder, { pixels: new ort.Tensor(dtype, data, shape) });
  };
  const fromPixels = async (name: string) => encode('float32', readFloats(entry(golden, name)), entry(golden, name).shape);

  const tokens = await fromPixels('pixels');
  const pngTokens = await fromPixels('png_pixels');
  const images = readdirSync(join(dir, 'images')).sort((a, b) => parseInt(a) - parseInt(b));
  const decoded = await Promise.all(
    images.map(async (name) => (await preprocess(readFileSync(join(dir, 'images', name)), model.preprocess, MAX_PIXELS)).pixels),
  );
  const fromFiles = await encode('uint8', Buffer.concat(decoded), [decoded.length, side, side, 3]);
  const pngGlobal = readFloats(entry(golden, 'png_global'));
  return [
    compareValues('encoder global', tokens['global']!, readFloats(entry(golden, 'global')), TOLERANCE * scale),
    compareValues('encoder patches', tokens['patches']!, readFloats(entry(golden, 'patches')), TOLERANCE * scale),
    compareValues('encoder png_global from png_pixels', pngTokens['global']!, pngGlobal, TOLERANCE * scale),
    compareDirections('encoder png_global from images/ (1 - cosine)', fromFiles['global']!, pngGlobal, d, MIN_COSINE),
  ];
}

async function checkHead(
  dir: string,
  form: HeadSettings['form'],
  device: DeviceOptions,
  scale: number,
  tokenError: number,
): Promise<Comparison[]> {
  const file = join(dir, `head-${form}.safetensors`);
  const head = openSafetensors(file);
  const encoder = openSafetensors(join(dir, 'encoder.safetensors'));
  const text = readFloats(entry(encoder, 'text'));
  const [categories, d] = entry(encoder, 'text').shape as [number, number];
  const [batch, patchCount] = entry(encoder, 'patches').shape as [number, number];
  const scalar = (name: string) => readFloats(entry(head, name))[0]!;
  const settings: HeadSettings = { form, isr: 'adaptive', patches: 8, tau: scalar('tau'), alpha: scalar('alpha'), cap: scalar('cap') };

  const graph = new Graph(`head-${form}`);
  const tables = neighbourTables(categories, goldenEdges(head));
  const traced = new Map<string, Tensor>();
  const weights = checkpointWeights(graph, head, file);
  scoreCategories({
    tokens: { global: graph.input('global', 'float32', ['B', d]), patches: graph.input('patches', 'float32', ['B', patchCount, d]) },
    text: graph.constant(text, [categories, d]),
    settings,
    ist: {
      weights: (name, shape) => weights(`param.${name}`, shape),
      shape: headShape(head, form, 'param.')!,
      tables: neighbourInputs(graph, tables),
      hopOffsets: [categories, categories, categories],
    },
    chunkSize: categories,
    trace: (name, tensor) => traced.set(name, tensor),
  });
  for (const [name, tensor] of traced) graph.output(name, tensor);
  const patches = readFloats(entry(encoder, 'patches'));
  const trace = await run(graph, device, weightsFolder(head), {
    global: new ort.Tensor('float32', readFloats(entry(encoder, 'global')), [batch, d]),
    patches: new ort.Tensor('float32', patches, [batch, patchCount, d]),
    ...neighbourFeeds(tables),
  });
  // Off the CPU a choice within ten times the provider's token error of flipping may go either way; on it none is left out.
  const safe =
    device.provider === 'cpu'
      ? undefined
      : safeChoices({ ...settings, patches, text, batch, patchCount, categories, d }, 10 * tokenError);
  return [...head.keys()]
    .filter((name) => name.startsWith('trace.'))
    .map((name) => {
      const key = name.slice('trace.'.length);
      const limit = key === 'keep' ? 0 : TOLERANCE * scale;
      const width = entry(head, name).shape.slice(2).reduce((a, b) => a * b, 1);
      const include = safe && ((i: number) => safe[Math.floor(i / width)]!);
      return compareValues(`head-${form} ${key}`, trace[key] ?? [], readFloats(entry(head, name)), limit, include);
    })
    .concat(checkGraph(dir, form, head));
}

/** `graph.json`, read by our reader, against the edges that the head's golden file was computed with. */
function checkGraph(dir: string, form: string, head: ReadonlyMap<string, TensorEntry>): Comparison {
  const { categories } = readJson(dir, 'text.json') as TextGolden;
  const file = join(dir, 'graph.json');
  const listed = parseGraph(readFileSync(file), file).edges.map(
    ({ source, target, relation, strength }) => `${source} -${relation}-> ${target} ${Math.fround(strength)}`,
  );
  const used = goldenEdges(head).map(
    ({ source, target, relation, strength }) =>
      `${categories[source]!} -${RELATIONS[relation]!}-> ${categories[target]!} ${strength}`,
  );
  return compareSets(`graph.json as head-${form} has it`, listed, used);
}

interface MetricsGolden {
  scores: number[][];
  labels: number[][];
  apPerCategory: number[];
  mAP: number;
  mAPOverCategoriesWithPositives: number;
  f1: Record<string, F1>;
  f1DroppingImagesWithoutPositives: Record<string, F1>;
}

function checkMetrics(dir: string): Comparison[] {
  const golden = readJson(dir, 'metrics.json') as MetricsGolden;
  const topK = Object.keys(golden.f1).map(Number);
  const metrics = evaluate(Float32Array.from(golden.scores.flat()), Int8Array.from(golden.labels.flat()), {
    categoryCount: golden.apPerCategory.length,
    topK,
  });
  const figures = (of: Record<string, F1>) => topK.flatMap((k) => [of[k]!.precision, of[k]!.recall, of[k]!.f1]);
  const compare = (name: string, actual: ArrayLike<number>, expected: ArrayLike<number>) =>
    compareValues(`metrics ${name}`, actual, expected, METRIC_TOLERANCE);
  return [
    compare('apPerCategory', metrics.apPerCategory, golden.apPerCategory),
    compare('mAP', [metrics.mAP], [golden.mAP]),
    compare('mAPOverCategoriesWithPositives', [metrics.mAPOverCategoriesWithPositives], [golden.mAPOverCategoriesWithPositives]),
    compare('f1', figures(metrics.f1), figures(golden.f1)),
    compare(
      'f1DroppingImagesWithoutPositives',
      figures(metrics.f1DroppingImagesWithoutPositives),
      figures(golden.f1DroppingImagesWithoutPositives),
    ),
  ];
}

async function run(graph: Graph, device: DeviceOptions, folder: string, feeds: Record<string, ort.Tensor>): Promise<Record<string, Float32Array>> {
  const session = await createSession(graph.encode(), device, folder);
  try {
    const results = await session.run(feeds);
    return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, tensor.data as Float32Array]));
  } finally {
    await session.release();
  }
}

function readJson(dir: string, name: string): unknown {
  return JSON.parse(readFileSync(join(dir, name), 'utf8'));
}

function entry(tensors: ReadonlyMap<string, TensorEntry>, name: string): TensorEntry {
  const found = tensors.get(name);
  if (!found) throw new Error(`the golden file has no tensor ${name}`);
  return found;
}
