import type { Graph, Tensor } from '../onnx/graph.ts';
import { linear, unit } from '../onnx/layers.ts';
import * as op from '../onnx/ops.ts';
import type { ClipConfig } from './config.ts';
import { block, norm } from './transformer.ts';
import type { Weights } from './weights.ts';

/**
 * CLIP's text encoder. ids int64 [N, T]; pool float32 [N, 1, T], 1 at the token to pool and 0 elsewhere
 * -> unit-length features [N, d]. Attention is causal, so what pads a text after its end token changes nothing.
 * `embed` looks the ids up in the table of token embeddings [vocabulary, width]; training has a lookup of its own.
 */
export function encodeTexts(
  graph: Graph,
  ids: Tensor,
  pool: Tensor,
  config: ClipConfig,
  weights: Weights,
  embed = (table: Tensor, tokenIds: Tensor): Tensor => op.gather(table, tokenIds, 0),
): Tensor {
  const text = config.text_config;
  const tokens = ids.size(1);
  const table = weights('text_model.embeddings.token_embedding.weight', [text.vocab_size, text.hidden_size]);
  const positions = weights('text_model.embeddings.position_embedding.weight', [
    text.max_position_embeddings,
    text.hidden_size,
  ]);
  const mask = causalMask(graph, tokens);
  let x = op.add(embed(table, ids), op.slice(positions, 0, 0, tokens)); // [N, T, width]
  for (let layer = 0; layer < text.num_hidden_layers; layer++) {
    x = block(x, weights, `text_model.encoder.layers.${layer}`, text, mask);
  }
  x = norm(x, weights, 'text_model.final_layer_norm', text);
  const pooled = op.squeeze(op.matMul(pool, x), 1); // [N, width]
  return unit(linear(pooled, weights('text_projection.weight', [config.projection_dim, text.hidden_size])));
}

/**
 * The token that stands for a text, as transformers chooses it: the first end token, or, in checkpoints whose
 * configuration says `eos_token_id: 2` (OpenAI's on the hub), the first token with the highest id.
 */
export function poolIndex(ids: readonly number[], eosTokenId: number | null): number {
  if (eosTokenId === 2 || eosTokenId === null) return ids.indexOf(Math.max(...ids));
  return Math.max(0, ids.indexOf(eosTokenId));
}

/** [T, T]: 0 where a token may look, a number that softmax turns into exactly 0 where it may not. */
function causalMask(graph: Graph, tokens: number): Tensor {
  const mask = new Float32Array(tokens * tokens);
  for (let i = 0; i < tokens; i++) mask.fill(-1e30, i * tokens + i + 1, (i + 1) * tokens);
  return graph.constant(mask, [tokens, tokens]);
}
