/**
 * What the frozen part of the encoder makes of an image: the input of the first trained block, in half precision, and
 * f_G of the frozen encoder for the distillation. It is the same in every epoch, so it can be kept; kept or computed
 * anew, it has the same bits.
 */
import * as ort from 'onnxruntime-node';
import { embedImages, normalise, projectTokens, visionBlocks } from '../clip/vision.ts';
import { checkpointWeights } from '../clip/weights.ts';
import type { ModelFolder } from '../modelFolder.ts';
import { Graph } from '../onnx/graph.ts';
import * as op from '../onnx/ops.ts';
import { classifyRuntimeError, createSession, type DeviceOptions } from '../onnx/session.ts';

/** Activations of B images. */
export interface ActivationValues {
  /** Bits of float16 [B, T, width]. */
  hidden: Uint16Array<ArrayBuffer>;
  /** [B, d], unit length. */
  global: Float32Array<ArrayBuffer>;
}

/** Sizes of one image's activations. */
export interface ActivationShape {
  /** Patches and the class token. */
  tokens: number;
  width: number;
  /** Joint dimension. */
  d: number;
}

export function activationShape({ config }: ModelFolder): ActivationShape {
  const { hidden_size, image_size, patch_size } = config.vision_config;
  return {
    tokens: 1 + Math.floor(image_size / patch_size) ** 2,
    width: hidden_size,
    d: config.projection_dim,
  };
}

/** Bytes of one image's activations. */
export const activationBytes = ({ tokens, width, d }: ActivationShape): number => 2 * tokens * width + 4 * d;

export interface ActivationEncoder {
  /** pixels uint8 [B, S, S, 3]. Throws `Device.OutOfMemory`. */
  run(pixels: Uint8Array): Promise<ActivationValues>;
  release(): Promise<void>;
}

/** The frozen encoder, split below its last `trainedBlocks` blocks. */
export async function createActivationEncoder(
  model: ModelFolder,
  trainedBlocks: number,
  device: DeviceOptions,
): Promise<ActivationEncoder> {
  const { config, preprocess } = model;
  const graph = new Graph('activations');
  const weights = checkpointWeights(graph, model.tensors, model.dir);
  const side = preprocess.cropSize;
  const pixels = normalise(graph.input('pixels', 'uint8', ['B', side, side, 3]), {
    scale: preprocess.rescaleFactor,
    mean: preprocess.mean,
    std: preprocess.std,
  });
  const blocks = config.vision_config.num_hidden_layers;
  const split = blocks - trainedBlocks;
  const hidden = visionBlocks(embedImages(pixels, config, weights), config, weights, 0, split);
  const { global } = projectTokens(visionBlocks(hidden, config, weights, split, blocks), config, weights);
  graph.output('hidden', op.cast(hidden, 'float16'));
  graph.output('global', global);
  const session = await createSession(graph.encode(), device, model.weightsFolder);
  return {
    async run(bytes) {
      const images = bytes.length / (side * side * 3);
      try {
        const results = await session.run({
          pixels: new ort.Tensor('uint8', bytes, [images, side, side, 3]),
        });
        return {
          hidden: halfBits(results['hidden']!.data as unknown as ArrayBufferView<ArrayBuffer>),
          global: results['global']!.data as Float32Array<ArrayBuffer>,
        };
      } catch (error) {
        throw classifyRuntimeError(error, device.provider);
      }
    },
    release: () => session.release(),
  };
}

/** ONNX Runtime gives halves as Float16Array where the engine has it, else as their bits. */
const halfBits = (data: ArrayBufferView<ArrayBuffer>): Uint16Array<ArrayBuffer> =>
  new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
