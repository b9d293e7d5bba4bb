/** Why an image has a score: the patches that ISR kept, and what each neighbour in the graph added (docs/method.md). */
import * as ort from 'onnxruntime-node';
import { encodeImages, normalise } from '../clip/vision.ts';
import { checkpointWeights } from '../clip/weights.ts';
import { scoreCategories } from '../head/head.ts';
import {
  neighbourFeeds,
  neighbourInputs,
  neighbourTables,
  withoutNeighbour,
  type NeighbourTables,
} from '../head/neighbours.ts';
import { patchProbabilities } from '../head/isr.ts';
import { HEAD_PREFIX } from '../head/shape.ts';
import type { ModelFolder } from '../modelFolder.ts';
import { Graph, type Tensor } from '../onnx/graph.ts';
import { dot, unit } from '../onnx/layers.ts';
import * as op from '../onnx/ops.ts';
import { classifyRuntimeError, createSession, type DeviceOptions, type Feeds } from '../onnx/session.ts';
import type { Vocabulary } from '../tagger.ts';
import { neighbourhood, type Neighbourhood } from './neighbourhood.ts';

/** Images in a run of the encoder or of a category's head: bounds the memory of both. */
const BATCH = 16;

/** What the encoder says of one image; every vector has unit length. */
export interface ImageFeatures {
  /** f_G [d] */
  global: Float32Array;
  /** [P, d] */
  patches: Float32Array;
}

/** A patch that ISR kept. */
export interface KeptPatch {
  /** Row by row from the upper left. */
  index: number;
  /** ISR's, over all patches of the image. */
  probability: number;
}

/** What one neighbour's messages are worth. */
export interface NeighbourChange {
  /** Index in the vocabulary. */
  node: number;
  /** Indices into `RELATIONS` of its edges into the category. */
  relations: number[];
  /** The score minus the score on the graph without the neighbour's edges into the category, in all layers. */
  change: number;
}

/** Why an image has its score of a category. Scores are raw, in [-1, 1]. */
export interface ScoreEvidence {
  score: number;
  /** cos(f_G, t): what CLIP alone gives. */
  globalScore: number;
  /** cos(f_L, t) of the kept patches' mean; null without ISR. */
  localScore: number | null;
  /** cos(h0, t): before messages were passed. */
  scoreBeforeTransfer: number;
  /** The most probable first; none without ISR. */
  patches: KeptPatch[];
  /** The largest changes, either way, first; none for an untrained head. */
  neighbours: NeighbourChange[];
}

export interface Explainer {
  /** uint8 [B, S, S, 3] -> B. Throws `Device.OutOfMemory`. */
  encode(pixels: Uint8Array): Promise<ImageFeatures[]>;
  /** The evidence of one asked category (its index in the vocabulary) in each of these images. */
  explain(
    vocabulary: Vocabulary,
    category: number,
    images: readonly ImageFeatures[],
  ): Promise<ScoreEvidence[]>;
  release(): Promise<void>;
}

/** Explains scores that a tagger gives with this model, on one device, in this thread. */
export async function createExplainer(model: ModelFolder, device: DeviceOptions): Promise<Explainer> {
  const { cropSize } = model.preprocess;
  const imageBytes = cropSize ** 2 * 3;
  const d = model.config.projection_dim;
  const run = runner(device);
  const encoder = await createSession(encoderGraph(model), device, model.weightsFolder);

  return {
    async encode(pixels) {
      const images: ImageFeatures[] = [];
      for (let from = 0; from < pixels.length; from += BATCH * imageBytes) {
        const batch = pixels.slice(from, from + BATCH * imageBytes);
        const shape = [batch.length / imageBytes, cropSize, cropSize, 3];
        const found = await run(encoder, { pixels: new ort.Tensor('uint8', batch, shape) });
        for (let i = 0; i < shape[0]!; i++)
          images.push({ global: row(found['global']!, i), patches: row(found['patches']!, i) });
      }
      return images;
    },

    async explain(vocabulary, category, images) {
      const layers = model.head?.layers ?? 0;
      const local = neighbourhood(vocabulary, category, layers, d);
      const patches = images[0] === undefined ? 0 : images[0].patches.length / d;
      const { bytes, tables } = headGraph(model, local, patches);
      const session = await createSession(bytes, device, model.weightsFolder);
      try {
        const evidence: ScoreEvidence[] = [];
        for (let from = 0; from < images.length; from += BATCH) {
          const batch = images.slice(from, from + BATCH);
          const feeds = tokenFeeds(batch, d);
          const found = await run(session, { ...feeds, ...(tables && neighbourFeeds(tables)) });
          const own = batch.map((_, i) => evidenceOf(found, i));
          if (tables)
            for (const [source, edges] of incoming(local)) {
              const tablesWithout = withoutNeighbour(tables, 0, source);
              const { score } = await run(session, { ...feeds, ...neighbourFeeds(tablesWithout) });
              const relations = edges.map(({ relation }) => relation);
              for (const [i, { neighbours, score: whole }] of own.entries())
                neighbours.push({
                  node: local.nodes[source]!,
                  relations,
                  change: whole - row(score!, i)[0]!,
                });
            }
          for (const { neighbours } of own)
            neighbours.sort((a, b) => Math.abs(b.change) - Math.abs(a.change) || a.node - b.node);
          evidence.push(...own);
        }
        return evidence;
      } finally {
        await session.release();
      }
    },

    release: () => encoder.release(),
  };
}

type Results = Readonly<Record<string, ort.Tensor>>;

const runner =
  ({ provider }: DeviceOptions) =>
  async (session: ort.InferenceSession, feeds: Feeds): Promise<Results> => {
    try {
      return await session.run(feeds);
    } catch (error) {
      throw classifyRuntimeError(error, provider);
    }
  };

/** Row i of a tensor [B, ...], of its own. */
function row({ data, dims }: ort.Tensor, i: number): Float32Array {
  const size = data.length / dims[0]!;
  return (data as Float32Array).slice(i * size, (i + 1) * size);
}

function encoderGraph({ config, preprocess, tensors, dir }: ModelFolder): Uint8Array {
  const graph = new Graph('encoder');
  const { cropSize: side, rescaleFactor: scale, mean, std } = preprocess;
  const pixels = normalise(graph.input('pixels', 'uint8', ['B', side, side, 3]), { scale, mean, std });
  const { global, patches } = encodeImages(pixels, config, checkpointWeights(graph, tensors, dir));
  graph.output('global', global);
  graph.output('patches', patches);
  return graph.encode();
}

/** The head over one category's neighbourhood: [B] of every score, [B, P] of patches. */
function headGraph(
  { config, tensors, dir, head }: ModelFolder,
  { vocabulary, nodes }: Neighbourhood,
  patchCount: number,
): { bytes: Uint8Array; tables: NeighbourTables | undefined } {
  const d = config.projection_dim;
  const graph = new Graph('evidence');
  const weights = checkpointWeights(graph, tensors, dir);
  const tokens = {
    global: graph.input('global', 'float32', ['B', d]),
    patches: graph.input('patches', 'float32', ['B', patchCount, d]),
  };
  const text = graph.constant(vocabulary.text, [nodes.length, d]);
  const tables = head && neighbourTables(nodes.length, vocabulary.edges);
  const traced = new Map<string, Tensor>();
  const score = scoreCategories({
    tokens,
    text,
    settings: config.c2srt,
    ...(head &&
      tables && {
        ist: {
          weights: (name: string, shape: readonly number[]) => weights(HEAD_PREFIX + name, shape),
          shape: head,
          tables: neighbourInputs(graph, tables),
          hopOffsets: vocabulary.hopOffsets,
        },
      }),
    chunkSize: nodes.length,
    trace: (name, tensor) => traced.set(name, tensor),
  });
  const own = op.slice(text, 0, 0, 1); // [1, d]
  const first = (name: string): Tensor | undefined => {
    const tensor = traced.get(name);
    return tensor && op.slice(tensor, 1, 0, 1);
  };
  graph.output('score', op.squeeze(score, 1));
  graph.output('global_score', dot(tokens.global, own));
  graph.output('start_score', op.squeeze(dot(unit(first('h0')!), own), 1));
  const keep = first('keep'); // [B, 1, P]
  const local = first('f_L'); // [B, 1, d]
  if (keep && local) {
    graph.output('local_score', op.squeeze(dot(local, own), 1));
    graph.output('keep', op.squeeze(keep, 1));
    const probability = patchProbabilities(tokens.patches, own, config.c2srt.tau);
    graph.output('probability', op.squeeze(probability, 1));
  }
  return { bytes: graph.encode(), tables };
}

function tokenFeeds(images: readonly ImageFeatures[], d: number): Feeds {
  const stacked = (values: (image: ImageFeatures) => Float32Array): Float32Array => {
    const size = values(images[0]!).length;
    const all = new Float32Array(images.length * size);
    for (const [i, image] of images.entries()) all.set(values(image), i * size);
    return all;
  };
  const patches = stacked((image) => image.patches);
  return {
    global: new ort.Tensor(
      'float32',
      stacked((image) => image.global),
      [images.length, d],
    ),
    patches: new ort.Tensor('float32', patches, [images.length, patches.length / images.length / d, d]),
  };
}

/** The category's neighbours and their edges into it. */
function incoming({ vocabulary }: Neighbourhood): Map<number, Vocabulary['edges']> {
  return Map.groupBy(
    vocabulary.edges.filter(({ target }) => target === 0),
    ({ source }) => source,
  );
}

function evidenceOf(found: Results, image: number): ScoreEvidence {
  const scalar = (name: string): number | null => {
    const tensor = found[name];
    return tensor ? row(tensor, image)[0]! : null;
  };
  const probability = found['probability'] && row(found['probability'], image);
  const keep = found['keep'] && row(found['keep'], image);
  const patches: KeptPatch[] = [];
  keep?.forEach((kept, index) => {
    if (kept > 0) patches.push({ index, probability: probability![index]! });
  });
  return {
    score: scalar('score')!,
    globalScore: scalar('global_score')!,
    localScore: scalar('local_score'),
    scoreBeforeTransfer: scalar('start_score')!,
    patches: patches.sort((a, b) => b.probability - a.probability || a.index - b.index),
    neighbours: [],
  };
}
