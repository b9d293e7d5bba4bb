import * as ort from 'onnxruntime-node';
import { norm } from '../../model/clip/transformer.ts';
import { embedImages, normalise, visionBlocks } from '../../model/clip/vision.ts';
import { checkpointWeights } from '../../model/clip/weights.ts';
import type { ModelFolder } from '../../model/modelFolder.ts';
import { Graph } from '../../model/onnx/graph.ts';
import { linear } from '../../model/onnx/layers.ts';
import * as op from '../../model/onnx/ops.ts';
import { createSession, type DeviceOptions } from '../../model/onnx/session.ts';

/**
 * How much the class token attends to each patch in the encoder's last block, as the mean of its heads: where a plain CLIP
 * looks, whatever the category. uint8 [B, S, S, 3] -> [B, P], flat.
 */
export async function openClassAttention(
  { config, preprocess, tensors, dir, weightsFolder }: ModelFolder,
  device: DeviceOptions,
): Promise<{ run(pixels: Uint8Array): Promise<Float32Array>; release(): Promise<void> }> {
  const graph = new Graph('class-attention');
  const weights = checkpointWeights(graph, tensors, dir);
  const { cropSize: side, rescaleFactor: scale, mean, std } = preprocess;
  const vision = config.vision_config;
  const { hidden_size: width, num_attention_heads: heads, num_hidden_layers: layers } = vision;
  const pixels = normalise(graph.input('pixels', 'uint8', ['B', side, side, 3]), { scale, mean, std });
  const below = visionBlocks(embedImages(pixels, config, weights), config, weights, 0, layers - 1);
  const prefix = `vision_model.encoder.layers.${layers - 1}`;
  const h = norm(below, weights, `${prefix}.layer_norm1`, vision);
  const tokens = h.size(1);
  const dh = width / heads;
  const projected = (name: string) =>
    op.transpose(
      op.reshape(
        linear(
          h,
          weights(`${prefix}.self_attn.${name}.weight`, [width, width]),
          weights(`${prefix}.self_attn.${name}.bias`, [width]),
        ),
        ['B', tokens, heads, dh],
      ),
      [0, 2, 1, 3],
    ); // [B, h, T, dh]
  const query = op.mul(op.slice(projected('q_proj'), 2, 0, 1), dh ** -0.5); // [B, h, 1, dh]
  const attention = op.softmax(op.matMul(query, op.transpose(projected('k_proj'), [0, 1, 3, 2]))); // [B, h, 1, T]
  graph.output('attention', op.slice(op.squeeze(op.reduceMean(attention, 1), 1), 1, 1, tokens)); // [B, P]
  const session = await createSession(graph.encode(), device, weightsFolder);
  return {
    async run(bytes) {
      const shape = [bytes.length / (side * side * 3), side, side, 3];
      const { attention: found } = await session.run({ pixels: new ort.Tensor('uint8', bytes, shape) });
      return found!.data as Float32Array;
    },
    release: () => session.release(),
  };
}
