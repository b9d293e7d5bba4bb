import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openSafetensors } from '../../../data/safetensors.ts';
import { parseClipConfig } from '../../../model/clip/config.ts';
import { openModelFolder } from '../../../model/modelFolder.ts';
import { initialClipParameters } from '../../../model/pretrain/initialise.ts';
import { clipParameterShapes } from '../../../model/pretrain/shapes.ts';
import { TINY } from './smallWorld.ts';

const GOLDEN = join(import.meta.dirname, '../../golden');

test.each(['tiny', 'hub'])('the parameters are the tensors of a checkpoint: %s', (name) => {
  const folder = join(GOLDEN, name, 'clip');
  const tensors = openSafetensors(join(folder, 'model.safetensors'));
  const expected = [...tensors.values()]
    .filter((entry) => !entry.name.endsWith('.position_ids'))
    .map((entry) => [entry.name, entry.shape]);
  const shapes = [...clipParameterShapes(openModelFolder(folder).config)];
  expect(Object.fromEntries(shapes.map(([key, { shape }]) => [key, shape]))).toEqual(
    Object.fromEntries(expected),
  );
});

describe('initial weights', () => {
  const config = parseClipConfig(
    {
      projection_dim: 64,
      text_config: {
        vocab_size: 200,
        hidden_size: 64,
        intermediate_size: 256,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        max_position_embeddings: 32,
      },
      vision_config: {
        hidden_size: 96,
        intermediate_size: 192,
        num_hidden_layers: 3,
        num_attention_heads: 4,
        image_size: 64,
        patch_size: 8,
      },
    },
    'config',
  );
  const parameters = initialClipParameters(config, 1);
  const deviation = (name: string): number => {
    const { values } = parameters.get(name)!;
    return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
  };
  test.each([
    ['text_model.embeddings.token_embedding.weight', 0.02],
    ['text_model.embeddings.position_embedding.weight', 0.02],
    ['vision_model.embeddings.patch_embedding.weight', 0.02],
    ['vision_model.embeddings.position_embedding.weight', 0.02],
    ['vision_model.embeddings.class_embedding', 96 ** -0.5],
    ['text_model.encoder.layers.1.self_attn.q_proj.weight', (64 * 4) ** -0.5],
    ['vision_model.encoder.layers.2.self_attn.v_proj.weight', (96 * 6) ** -0.5],
    ['vision_model.encoder.layers.0.self_attn.out_proj.weight', 96 ** -0.5],
    ['vision_model.encoder.layers.0.mlp.fc1.weight', (2 * 96) ** -0.5],
    ['text_model.encoder.layers.0.mlp.fc2.weight', (64 * 4) ** -0.5],
    ['text_projection.weight', 64 ** -0.5],
    ['visual_projection.weight', 96 ** -0.5],
  ])('%s is as wide as in transformers', (name, expected) => {
    const count = parameters.get(name)!.values.length;
    // Five standard deviations of an estimate from so many values.
    expect(Math.abs(deviation(name) / expected - 1)).toBeLessThan(5 / Math.sqrt(2 * count));
  });
  test('layer norms start as nothing, biases at 0, the logit scale at log(1 / 0.07)', () => {
    const distinct = (name: string) => [...new Set(parameters.get(name)!.values)];
    expect(distinct('vision_model.pre_layrnorm.weight')).toEqual([1]);
    expect(distinct('vision_model.post_layernorm.weight')).toEqual([1]);
    expect(distinct('text_model.encoder.layers.0.layer_norm2.weight')).toEqual([1]);
    expect(distinct('text_model.final_layer_norm.bias')).toEqual([0]);
    expect(distinct('vision_model.encoder.layers.0.mlp.fc1.bias')).toEqual([0]);
    expect(parameters.get('logit_scale')!.values[0]).toBeCloseTo(Math.log(1 / 0.07), 3);
  });
});

test('initial weights are a function of the seed, and tensors of one shape differ', () => {
  const q = 'vision_model.encoder.layers.0.self_attn.q_proj.weight';
  const k = 'vision_model.encoder.layers.0.self_attn.k_proj.weight';
  const [first, same, other] = [1, 1, 2].map((seed) => initialClipParameters(TINY, seed));
  expect(first).toEqual(same);
  expect(first!.get(q)!.values).not.toEqual(other!.get(q)!.values);
  expect(first!.get(q)!.values).not.toEqual(first!.get(k)!.values);
});
