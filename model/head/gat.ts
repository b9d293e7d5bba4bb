/** Inter-category semantic transfer (IST): GATv2 over the category graph, on padded neighbour tables. */
import type { Tensor } from '../onnx/graph.ts';
import { dot, gelu, linear, unit } from '../onnx/layers.ts';
import * as op from '../onnx/ops.ts';
import type { Weights } from '../clip/weights.ts';
import { EDGE_FEATURES, type NeighbourTensors } from './neighbours.ts';

const SLOPE = 0.2;

/** The cosine of a source with its text is small; the reference scales it by this before it enters a message. */
const SCORE_SCALE = 10;

/** Rows [from, to) of the categories. */
export interface Chunk {
  from: number;
  to: number;
}

/**
 * A GATv2 layer (Brody et al. 2022) with edge features, heads concatenated:
 * e_ij = a · LeakyReLU(W_r h_i + W_l h_j + W_e edge_ij), softmax over j, out_i = Σ_j α_ij W_l h_j + b.
 */
export class Gatv2 {
  protected readonly weights: Weights;
  protected readonly d: number;
  private readonly heads: number;

  /** `weights` are the layer's own (`lin_l.weight`, ...); `d` is a multiple of `heads`. */
  constructor(weights: Weights, d: number, heads: number) {
    this.weights = weights;
    this.d = d;
    this.heads = heads;
  }

  /** What a category says as a source: W_l h. h [B, N, d] -> [B, N, d]. */
  source(h: Tensor, _text: Tensor): Tensor {
    return this.dense('lin_l', h);
  }

  /**
   * Messages to the targets of one chunk. source [B, N, d] of all categories; h [B, N, d] -> [B, n, d].
   * The widest tensor is [B, n, K, d] for the chunk's highest in-degree K.
   */
  attend(source: Tensor, h: Tensor, tables: NeighbourTensors, { from, to }: Chunk): Tensor {
    const { d, heads, weights } = this;
    const width = tables.degrees.subarray(from, to).reduce((a, b) => Math.max(a, b), 1);
    const rows = (x: Tensor) => op.slice(op.slice(x, 0, from, to), 1, 0, width);

    const neighbours = op.gather(source, rows(tables.sources), 1); // [B, n, K, d]
    const target = op.unsqueeze(this.dense('lin_r', op.slice(h, 1, from, to)), 2); // [B, n, 1, d]
    const edge = linear(rows(tables.features), weights('lin_edge.weight', [d, EDGE_FEATURES])); // [n, K, d]
    const e = op.leakyRelu(op.add(op.add(neighbours, edge), target), SLOPE);
    // Per head the sum over its d / heads features, as one product with the attention vectors laid out block-diagonally.
    const membership = headMembership(e, d, heads); // [d, heads]
    const attention = op.mul(op.reshape(weights('att', [heads, d / heads]), [d, 1]), membership);
    const logits = op.add(op.matMul(e, attention), op.unsqueeze(rows(tables.bias), 2)); // [B, n, K, heads]
    const alpha = op.softmax(op.transpose(logits, [0, 1, 3, 2])); // [B, n, heads, K]
    // Every head mixes all features, which is one product per category; of the result each head has its own.
    const mixed = op.mul(op.matMul(alpha, neighbours), op.transpose(membership, [1, 0])); // [B, n, heads, d]
    return op.add(op.reduceSum(mixed, 2), weights('bias', [d]));
  }

  protected dense(name: string, x: Tensor): Tensor {
    return linear(
      x,
      this.weights(`${name}.weight`, [this.d, this.d]),
      this.weights(`${name}.bias`, [this.d]),
    );
  }
}

/**
 * The anchored layer (ours, not the paper's): a category moves only along its own text feature, by an amount that its
 * neighbours decide: h_i + (v · GELU(m_i)) t_i. The source's score enters its message, since cos(h_j, t_j) cannot be
 * seen from h_j alone.
 */
export class AnchoredGatv2 extends Gatv2 {
  /** h and text [.., N, d]. */
  override source(h: Tensor, text: Tensor): Tensor {
    const score = op.mul(dot(unit(h), text), SCORE_SCALE); // [B, N]
    const weight = op.transpose(this.weights('lin_score.weight', [this.d, 1]), [1, 0]); // [1, d]
    return op.add(this.dense('lin_l', h), op.mul(op.unsqueeze(score, 2), weight));
  }

  /** How far each target moves along its text feature. message [B, n, d] -> [B, n, 1]. */
  step(message: Tensor): Tensor {
    return op.matMul(gelu(message), op.reshape(this.weights('v', [this.d]), [this.d, 1]));
  }
}

/** [d, heads]: 1 where a feature belongs to a head. */
function headMembership({ graph }: Tensor, d: number, heads: number): Tensor {
  const membership = new Float32Array(d * heads);
  for (let i = 0; i < d; i++) membership[i * heads + Math.floor((i * heads) / d)] = 1;
  return graph.constant(membership, [d, heads]);
}
