import { describe, expect, it } from 'vitest';
import { parsePreprocessConfig } from '../../data/images/preprocessConfig.ts';

const clip = {
  size: 224,
  keepAspect: true,
  cropSize: 224,
  kernel: 'cubic',
  rescaleFactor: 1 / 255,
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};

describe('preprocessor_config.json', () => {
  it.each([
    ["CLIP's defaults", {}, clip],
    ['null for missing', { size: null, do_resize: null, image_mean: null, resample: null }, clip],
    ['numbers', { size: 336, crop_size: 336 }, { ...clip, size: 336, cropSize: 336 }],
    [
      'shortest_edge',
      { size: { shortest_edge: 256 }, crop_size: { height: 224, width: 224 } },
      { ...clip, size: 256 },
    ],
    [
      'a square',
      { size: { height: 224, width: 224 }, do_center_crop: false },
      { ...clip, keepAspect: false },
    ],
    ['default_to_square', { size: 224, default_to_square: true }, { ...clip, keepAspect: false }],
    ['bilinear', { resample: 2 }, { ...clip, kernel: 'linear' }],
    ['no rescaling', { do_rescale: false }, { ...clip, rescaleFactor: 1 }],
    ['no normalisation', { do_normalize: false }, { ...clip, mean: [0, 0, 0], std: [1, 1, 1] }],
    ['other statistics', { image_mean: [0.5, 0.5, 0.5] }, { ...clip, mean: [0.5, 0.5, 0.5] }],
    ["CLIP's processors", { image_processor_type: 'CLIPImageProcessorFast' }, clip],
  ])('reads %s', (_, json, expected) => {
    expect(parsePreprocessConfig(json)).toEqual(expected);
  });

  it.each([
    ['size', { size: { longest_edge: 224 } }],
    ['size', { size: { height: 224, width: 336 } }],
    ['size', { size: -1 }],
    ['size', { size: '224' }],
    ['crop_size', { crop_size: { height: 224, width: 200 } }],
    ['crop_size', { size: 200 }],
    ['resample', { resample: 0 }],
    ['do_resize', { do_resize: false }],
    ['do_center_crop', { do_center_crop: false }],
    ['do_pad', { do_pad: true }],
    ['image_mean', { image_mean: [0.5] }],
    ['image_std', { image_std: [1, 0, 1] }],
    ['image_processor_type', { image_processor_type: 'SiglipImageProcessor' }],
    ['feature_extractor_type', { feature_extractor_type: 'ViTFeatureExtractor' }],
    ['the file', []],
  ])('refuses %s of %j', (field, json) => {
    let thrown: unknown;
    try {
      parsePreprocessConfig(json, 'model/preprocessor_config.json');
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'Model.Unsupported', subject: 'model/preprocessor_config.json' });
    expect((thrown as Error).message).toContain(`model/preprocessor_config.json: ${field}`);
  });
});
