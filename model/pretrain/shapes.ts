import type { ClipConfig } from '../clip/config.ts';
import { encodeTexts } from '../clip/text.ts';
import { encodeImages } from '../clip/vision.ts';
import type { Weights } from '../clip/weights.ts';
import { Graph } from '../onnx/graph.ts';

/** Name of the parameter whose exponential multiplies the cosines. */
export const LOGIT_SCALE = 'logit_scale';

/**
 * The shapes of all parameters of a CLIP, by their names in the checkpoint: what its two encoders ask for when they are
 * built, and the logit scale.
 */
export function clipParameterShapes(config: ClipConfig): Map<string, { shape: readonly number[] }> {
  const graph = new Graph('shapes');
  const shapes = new Map<string, { shape: readonly number[] }>([[LOGIT_SCALE, { shape: [] }]]);
  const weights: Weights = (name, shape) => {
    shapes.set(name, { shape });
    return graph.input(name, 'float32', shape);
  };
  const { image_size } = config.vision_config;
  encodeImages(graph.input('pixels', 'float32', ['B', 3, image_size, image_size]), config, weights);
  encodeTexts(
    graph,
    graph.input('ids', 'int64', ['N', 1]),
    graph.input('pool', 'float32', ['N', 1, 1]),
    config,
    weights,
  );
  return shapes;
}
