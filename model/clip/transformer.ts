import { gelu, linear, quickGelu } from '../onnx/layers.ts';
import type { Dim, Tensor } from '../onnx/graph.ts';
import * as op from '../onnx/ops.ts';
import type { Weights } from './weights.ts';

/** What the two towers of CLIP have in common. */
export interface TowerConfig {
  hidden_size: number;
  intermediate_size: number;
  num_attention_heads: number;
  hidden_act: 'gelu' | 'quick_gelu';
  layer_norm_eps: number;
}

/** LayerNorm of a checkpoint. x [..., width]. */
export function norm(
  x: Tensor,
  weights: Weights,
  name: string,
  { hidden_size, layer_norm_eps }: TowerConfig,
): Tensor {
  return op.layerNorm(
    x,
    weights(`${name}.weight`, [hidden_size]),
    weights(`${name}.bias`, [hidden_size]),
    layer_norm_eps,
  );
}

/**
 * One pre-norm transformer block: x + attention(LN x), then x + MLP(LN x).
 * x [batch, tokens, width] -> the same; `mask` is added to the attention logits [tokens, tokens].
 */
export function block(
  x: Tensor,
  weights: Weights,
  prefix: string,
  config: TowerConfig,
  mask?: Tensor,
): Tensor {
  const width = config.hidden_size;
  const dense = (h: Tensor, name: string, from: number, to: number) =>
    linear(h, weights(`${prefix}.${name}.weight`, [to, from]), weights(`${prefix}.${name}.bias`, [to]));
  const activate = config.hidden_act === 'gelu' ? gelu : quickGelu;

  const h = norm(x, weights, `${prefix}.layer_norm1`, config);
  const [q, k, v] = ['q_proj', 'k_proj', 'v_proj'].map((name) =>
    dense(h, `self_attn.${name}`, width, width),
  ) as [Tensor, Tensor, Tensor];
  const attended = op.add(
    x,
    dense(attention(q, k, v, config.num_attention_heads, mask), 'self_attn.out_proj', width, width),
  );

  const m = norm(attended, weights, `${prefix}.layer_norm2`, config);
  const hidden = activate(dense(m, 'mlp.fc1', width, config.intermediate_size));
  return op.add(attended, dense(hidden, 'mlp.fc2', config.intermediate_size, width));
}

/** softmax(q kᵀ / √dh + mask) v per head. q, k, v [batch, tokens, heads * dh] -> the same. */
function attention(q: Tensor, k: Tensor, v: Tensor, heads: number, mask?: Tensor): Tensor {
  const [batch, tokens, width] = q.shape as [Dim, number, number];
  const dh = width / heads;
  const split = (x: Tensor) => op.reshape(x, [batch, tokens, heads, dh]);
  const queries = op.transpose(split(op.mul(q, dh ** -0.5)), [0, 2, 1, 3]); // [B, h, T, dh]
  const keys = op.transpose(split(k), [0, 2, 3, 1]); // [B, h, dh, T]
  const values = op.transpose(split(v), [0, 2, 1, 3]); // [B, h, T, dh]
  const logits = op.matMul(queries, keys); // [B, h, T, T]
  const mixed = op.matMul(op.softmax(mask ? op.add(logits, mask) : logits), values);
  return op.reshape(op.transpose(mixed, [0, 2, 1, 3]), [batch, tokens, width]);
}
