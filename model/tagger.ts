/** The tagging graph: decoded pixels in, scores of the asked categories out, in one session run. */
import * as ort from 'onnxruntime-node';
import type { IndexedEdge } from '../data/subgraph.ts';
import type { HeadSettings } from './clip/config.ts';
import { encodeImages, normalise, type ImageTokens } from './clip/vision.ts';
import { checkpointWeights, type Weights } from './clip/weights.ts';
import { scoreCategories } from './head/head.ts';
import { neighbourFeeds, neighbourInputs, neighbourTables } from './head/neighbours.ts';
import { HEAD_PREFIX } from './head/shape.ts';
import type { ModelFolder } from './modelFolder.ts';
import { Graph, type Tensor } from './onnx/graph.ts';
import * as op from './onnx/ops.ts';
import { classifyRuntimeError, createSession, type DeviceOptions, type Feeds } from './onnx/session.ts';

/** The widest tensor that the head may make, [B, categories, in-degree or patches, ...]: bounds its memory. */
const CHUNK_BYTES = 32 * 2 ** 20;

/** Features of all categories of all vocabularies, [B, N, d], at most this: bounds the batch where they are thousands. */
const STATE_BYTES = 256 * 2 ** 20;

/** Sizes that decide how much of the head is worked on at a time. */
interface HeadSizes {
  categories: number;
  patches: number;
  /** Of the neighbour table. */
  width: number;
  d: number;
}

/** How many images the head takes at a time, at most `largestBatch`, and how many categories. */
export function headChunk(
  largestBatch: number,
  { categories, patches, width, d }: HeadSizes,
): { batchSize: number; chunkSize: number } {
  const batchSize = stateBatch(largestBatch, categories, d);
  const perCategory = batchSize * 4 * Math.max(patches, width * d);
  return { batchSize, chunkSize: Math.max(1, Math.floor(CHUNK_BYTES / perCategory)) };
}

const stateBatch = (largestBatch: number, categories: number, d: number): number =>
  Math.max(1, Math.min(largestBatch, Math.floor(STATE_BYTES / (4 * categories * d))));

/** The categories that images are scored against. */
export interface Vocabulary {
  /** Unit-length text features of the asked categories, then of the seen ones that inform them. [N, d] */
  text: Float32Array;
  /** Number of asked categories: the first rows of `text`. */
  asked: number;
  /** Edges among all N; unused where the head is untrained. */
  edges: readonly IndexedEdge[];
  /** Nodes within h hops of the asked ones, for h = 0..layers of the head. */
  hopOffsets: readonly number[];
}

export interface TaggerOptions {
  /** Most images in a run. */
  batchSize: number;
  /** Whether runs also give the global embedding. */
  embedding: boolean;
  /**
   * Score without the model's head, once by each of these settings: the scores of an image are then [V, asked], flat, in
   * their order.
   */
  trainingFree?: readonly HeadSettings[];
}

/** Scores of a batch. */
export interface BatchScores {
  /**
   * [B, asked], in [-1, 1]: of several vocabularies those of the first, then of the second, and so on, for each image.
   * With {@link TaggerOptions.trainingFree} each vocabulary's are [V, asked].
   */
  scores: Float32Array;
  /** f_G, unit length [B, d], where asked for. */
  embeddings?: Float32Array;
}

export interface Tagger {
  /** Most images in a run; lower than asked for where the vocabularies are so large that memory bounds it. */
  readonly batchSize: number;
  /** Bytes of one image's pixels: S * S * 3. */
  readonly imageBytes: number;
  /** pixels uint8 [B, S, S, 3], 1 <= B <= batchSize. Throws `Device.OutOfMemory`. */
  run(pixels: Uint8Array): Promise<BatchScores>;
  release(): Promise<void>;
}

/**
 * The tagging graph as ONNX bytes, and the inputs besides the pixels that every run is fed. Images are encoded once,
 * whatever the number of vocabularies: each has a head of its own on the same tokens.
 */
export function buildTaggingGraph(
  model: ModelFolder,
  vocabularies: readonly Vocabulary[],
  options: TaggerOptions,
): { bytes: Uint8Array; feeds: Feeds } {
  const { config, preprocess } = model;
  const graph = new Graph('tagging');
  const weights = checkpointWeights(graph, model.tensors, model.dir);
  const side = preprocess.cropSize;
  const input = graph.input('pixels', 'uint8', ['B', side, side, 3]);
  const pixels = normalise(input, {
    scale: preprocess.rescaleFactor,
    mean: preprocess.mean,
    std: preprocess.std,
  });
  const tokens = encodeImages(pixels, config, weights);
  const feeds: Feeds = {};
  const scores = vocabularies.flatMap((vocabulary, i) => {
    const own = scoreVocabulary({ model, vocabulary, options, tokens, weights, suffix: `_${i}` });
    Object.assign(feeds, own.feeds);
    return own.scores;
  });
  graph.output('scores', op.concat(scores, 1));
  if (options.embedding) graph.output('embeddings', tokens.global);
  return { bytes: graph.encode(), feeds };
}

/** A vocabulary's scores [B, asked], once for each of the settings that it is scored by. */
function scoreVocabulary({
  model,
  vocabulary,
  options,
  tokens,
  weights,
  suffix,
}: {
  model: ModelFolder;
  vocabulary: Vocabulary;
  options: TaggerOptions;
  tokens: ImageTokens;
  weights: Weights;
  /** Of the names of its inputs. */
  suffix: string;
}): { scores: Tensor[]; feeds: Feeds } {
  const { config } = model;
  const { graph } = tokens.global;
  const d = config.projection_dim;
  const head = options.trainingFree ? undefined : model.head;
  const nodes = head ? vocabulary.hopOffsets.at(-1)! : vocabulary.asked;
  const text = graph.constant(vocabulary.text.subarray(0, nodes * d), [nodes, d]);
  const tables = head && neighbourTables(nodes, vocabulary.edges);
  const headWeights: Weights = (name, shape) => weights(HEAD_PREFIX + name, shape);
  const ist = head &&
    tables && {
      weights: headWeights,
      shape: head,
      tables: neighbourInputs(graph, tables, suffix),
      hopOffsets: vocabulary.hopOffsets,
    };
  const sizes = { categories: nodes, patches: tokens.patches.size(1), width: tables?.width ?? 1, d };
  const { chunkSize } = headChunk(options.batchSize, sizes);
  const scores = (options.trainingFree ?? [config.c2srt]).map((settings) =>
    scoreCategories({ tokens, text, settings, ...(ist && { ist }), chunkSize }),
  );
  return { scores, feeds: tables ? neighbourFeeds(tables, suffix) : {} };
}

/** A session that tags on one device, with one or more vocabularies. */
export async function createTagger(
  model: ModelFolder,
  vocabularies: readonly Vocabulary[],
  device: DeviceOptions,
  options: TaggerOptions,
): Promise<Tagger> {
  const categories = vocabularies.reduce(
    (sum, { asked, hopOffsets }) => sum + (hopOffsets.at(-1) ?? asked),
    0,
  );
  const scored = categories * (options.trainingFree?.length ?? 1);
  const batchSize = stateBatch(options.batchSize, scored, model.config.projection_dim);
  const { bytes, feeds: constant } = buildTaggingGraph(model, vocabularies, { ...options, batchSize });
  const session = await createSession(bytes, device, model.weightsFolder);
  const side = model.preprocess.cropSize;
  return {
    batchSize,
    imageBytes: side * side * 3,
    async run(pixels) {
      const feeds = {
        ...constant,
        pixels: new ort.Tensor('uint8', pixels, [pixels.length / (side * side * 3), side, side, 3]),
      };
      let results: ort.InferenceSession.OnnxValueMapType;
      try {
        results = await session.run(feeds);
      } catch (error) {
        throw classifyRuntimeError(error, device.provider);
      }
      const scores = results['scores']!.data as Float32Array;
      const embeddings = results['embeddings']?.data as Float32Array | undefined;
      return embeddings ? { scores, embeddings } : { scores };
    },
    release: () => session.release(),
  };
}
