/**
 * The C²SRT head: ISR, fusion, IST and score, in three forms (docs/method.md).
 * plain: the paper's equations. residual: both steps added to what they start from, through gates that start at zero.
 * anchored (ours, the default): see {@link AnchoredGatv2}.
 */
import type { HeadSettings } from '../clip/config.ts';
import type { ImageTokens } from '../clip/vision.ts';
import type { Weights } from '../clip/weights.ts';
import type { Tensor } from '../onnx/graph.ts';
import { dot, gelu, linear, unit } from '../onnx/layers.ts';
import * as op from '../onnx/ops.ts';
import { AnchoredGatv2, Gatv2, type Chunk } from './gat.ts';
import { poolPatches, selectPatches } from './isr.ts';
import type { NeighbourTensors } from './neighbours.ts';

/** The sizes of a trained head, which its tensors tell. */
export interface HeadShape {
  layers: number;
  heads: number;
  /** Width of the fusion FFN; absent in the anchored form. */
  hidden?: number;
}

/** A trained head: its weights (names without prefix), sizes and the graph it passes messages over. */
export interface Ist {
  weights: Weights;
  shape: HeadShape;
  tables: NeighbourTensors;
  /**
   * How many nodes lie within h hops of the asked categories, for h = 0..layers; nodes are in that order, so that
   * layer l needs only the first hopOffsets[layers - l] of them and only asked ones are scored.
   */
  hopOffsets: readonly number[];
}

export interface HeadInputs {
  tokens: ImageTokens;
  /** [N, d], unit length. */
  text: Tensor;
  settings: HeadSettings;
  /** Absent for an untrained head: the scores are then those of training-free CLIP + ISR. */
  ist?: Ist;
  /** Categories worked on at a time; bounds the memory of ISR and IST. */
  chunkSize: number;
  /** Is told intermediate values by the reference's names (keep, f_L, f_img, h0, ...). Only with one chunk. */
  trace?: (name: string, tensor: Tensor) => void;
}

/** Scores [B, A] in [-1, 1] of the asked categories: cos(h, text) (eq. 10). */
export function scoreCategories({ tokens, text, settings, ist, chunkSize, trace }: HeadInputs): Tensor {
  const embedded = ist?.hopOffsets.at(-1) ?? text.size(0);
  const initial = chunks(embedded, chunkSize).map((chunk) => {
    const chunkText = op.slice(text, 0, chunk.from, chunk.to);
    const image = refine(tokens, chunkText, settings, trace);
    return ist && settings.form !== 'anchored' ? fuse(image, chunkText, settings.form, ist) : image;
  });
  let h = op.concat(initial, 1); // [B, N, d]
  trace?.('h0', h);
  for (let layer = 0; ist && layer < ist.shape.layers; layer++) {
    h = transfer(h, text, settings.form, ist, layer, chunkSize);
    trace?.(`h${layer + 1}`, h);
  }
  const score = dot(unit(h), op.slice(text, 0, 0, h.size(1)));
  trace?.('score', score);
  return score;
}

/** ISR and eq. 6: f_img = (f_L + f_G) / 2; without ISR it is f_G. text [n, d] -> [B, n, d]. */
function refine(
  { global, patches }: ImageTokens,
  text: Tensor,
  settings: HeadSettings,
  trace: HeadInputs['trace'],
): Tensor {
  if (settings.isr === 'off') {
    const zeros = text.graph.constant(new Float32Array(text.size(0)), [text.size(0), 1]);
    return op.add(op.unsqueeze(global, 1), zeros);
  }
  const keep = selectPatches(patches, text, settings);
  const local = poolPatches(patches, keep);
  const image = op.mul(op.add(local, op.unsqueeze(global, 1)), 0.5);
  trace?.('keep', keep);
  trace?.('f_L', local);
  trace?.('f_img', image);
  return image;
}

/** h0 = FFN([f_img ; text]) (eq. 6), added to f_img in the residual form. image [B, n, d], text [n, d]. */
function fuse(image: Tensor, text: Tensor, form: HeadSettings['form'], { weights, shape }: Ist): Tensor {
  const d = text.size(1);
  const hidden = shape.hidden ?? d;
  const fc1 = weights('fc1.weight', [hidden, 2 * d]);
  // The text's half of the first layer is the same for every image: ONNX Runtime folds it into a constant [n, hidden].
  const textHalf = linear(text, op.slice(fc1, 1, d, 2 * d), weights('fc1.bias', [hidden]));
  const first = gelu(op.add(linear(image, op.slice(fc1, 1, 0, d)), textHalf));
  const fused = linear(first, weights('fc2.weight', [d, hidden]), weights('fc2.bias', [d]));
  return form === 'residual' ? op.add(image, fused) : fused;
}

/** One layer of IST (eq. 7-9): h [B, N_l, d] -> [B, N_{l+1}, d], the nodes that later layers still need. */
function transfer(
  h: Tensor,
  text: Tensor,
  form: HeadSettings['form'],
  ist: Ist,
  layer: number,
  chunkSize: number,
): Tensor {
  const { shape, hopOffsets, tables } = ist;
  const d = h.size(2);
  const weights: Weights = (name, dims) => ist.weights(`gat.${layer}.${name}`, dims);
  const sourceText = op.slice(text, 0, 0, h.size(1));
  const targets = hopOffsets[shape.layers - 1 - layer]!;
  if (form === 'anchored') {
    const gat = new AnchoredGatv2(weights, d, shape.heads);
    const source = gat.source(h, sourceText);
    return perChunk(targets, chunkSize, (chunk) => {
      const step = gat.step(gat.attend(source, h, tables, chunk));
      return op.add(
        op.slice(h, 1, chunk.from, chunk.to),
        op.mul(step, op.slice(text, 0, chunk.from, chunk.to)),
      );
    });
  }
  const gat = new Gatv2(weights, d, shape.heads);
  const source = gat.source(h, sourceText);
  const message = perChunk(targets, chunkSize, (chunk) => gat.attend(source, h, tables, chunk));
  if (form === 'plain') return message;
  const gate = op.slice(ist.weights('gate', [shape.layers]), 0, layer, layer + 1);
  return op.add(op.slice(h, 1, 0, targets), op.mul(gate, message));
}

function perChunk(count: number, chunkSize: number, build: (chunk: Chunk) => Tensor): Tensor {
  return op.concat(chunks(count, chunkSize).map(build), 1);
}

function chunks(count: number, size: number): Chunk[] {
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => ({
    from: i * size,
    to: Math.min(count, (i + 1) * size),
  }));
}
