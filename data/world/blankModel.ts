import type { ObjectStore } from '../store/store.ts';
import { describingWords } from './scene/captions.ts';
import { SCENE_PX } from './scene/plan.ts';

const PAD = '<pad>';
const START = '<start>';
const END = '<end>';

/** Of the longest text that is not cut, with its marks; what is said of scenes is shorter. */
const MAX_TOKENS = 20;
/** Width of the space that images and texts meet in. */
const JOINT = 96;

/** 8 x 8 patches: small things are a few of them, and a step stays cheap. */
const PATCH_PX = 12;

const PROMPTS = [
  'a photo of {}',
  'a picture of {}',
  'an image of {}',
  '{}',
  'a scene with {}',
  'a photo of a {}',
  'a photo of the {}',
];

/**
 * A CLIP for the world's scenes as a folder in the Hugging Face layout without weights: what `c2srt pretrain` starts from
 * at random. Its tokenizer knows the words that scenes are described with, and takes any other for padding.
 */
export async function putBlankModel(store: ObjectStore): Promise<void> {
  const vocabulary = [PAD, START, ...describingWords(), END];
  const files = {
    'tokenizer.json': tokenizer(vocabulary),
    'preprocessor_config.json': PREPROCESSOR,
    'prompts.json': PROMPTS,
    'config.json': config(vocabulary),
  };
  for (const [key, value] of Object.entries(files))
    await store.put(key, `${JSON.stringify(value, null, 1)}\n`, { contentType: 'application/json' });
}

function config(vocabulary: readonly string[]) {
  const shared = { hidden_size: 128, num_attention_heads: 4, hidden_act: 'quick_gelu', layer_norm_eps: 1e-5 };
  return {
    architectures: ['CLIPModel'],
    model_type: 'clip',
    projection_dim: JOINT,
    logit_scale_init_value: 2.6592,
    text_config: {
      ...shared,
      model_type: 'clip_text_model',
      intermediate_size: 384,
      num_hidden_layers: 2,
      projection_dim: JOINT,
      max_position_embeddings: MAX_TOKENS,
      vocab_size: vocabulary.length,
      pad_token_id: vocabulary.indexOf(PAD),
      bos_token_id: vocabulary.indexOf(START),
      eos_token_id: vocabulary.indexOf(END),
    },
    vision_config: {
      ...shared,
      model_type: 'clip_vision_model',
      intermediate_size: 512,
      num_hidden_layers: 4,
      projection_dim: JOINT,
      num_channels: 3,
      image_size: SCENE_PX,
      patch_size: PATCH_PX,
    },
  };
}

const PREPROCESSOR = {
  image_processor_type: 'CLIPImageProcessor',
  do_resize: true,
  size: { shortest_edge: SCENE_PX },
  resample: 3,
  do_center_crop: true,
  crop_size: { height: SCENE_PX, width: SCENE_PX },
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: true,
  // CLIP's own.
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
  do_convert_rgb: true,
};

/** A word-level tokenizer.json of the `tokenizers` library. */
function tokenizer(vocabulary: readonly string[]) {
  const special = (token: string) => ({
    id: vocabulary.indexOf(token),
    content: token,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  const template = (token: string) => ({ SpecialToken: { id: token, type_id: 0 } });
  const mark = (token: string) => ({ id: token, ids: [vocabulary.indexOf(token)], tokens: [token] });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [PAD, START, END].map(special),
    normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Lowercase' }] },
    pre_tokenizer: { type: 'WhitespaceSplit' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [template(START), { Sequence: { id: 'A', type_id: 0 } }, template(END)],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens: { [START]: mark(START), [END]: mark(END) },
    },
    decoder: null,
    model: {
      type: 'WordLevel',
      vocab: Object.fromEntries(vocabulary.map((word, id) => [word, id])),
      unk_token: PAD,
    },
  };
}
