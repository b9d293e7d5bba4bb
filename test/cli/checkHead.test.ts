/** What a starting model's sizes and head say against the settings of a training. */
import { expect, it } from 'vitest';
import { refuseUntrainable } from '../../cli/train/checkHead.ts';
import { trainSettingsSchema } from '../../data/config/trainSchema.ts';
import { parseClipConfig } from '../../model/clip/config.ts';
import type { HeadShape } from '../../model/head/head.ts';

const check = (c2srt: object, head: HeadShape | undefined, settings: object): void =>
  refuseUntrainable(
    { config: parseClipConfig({ projection_dim: 96, c2srt }, 'config.json'), head },
    'file:///model',
    trainSettingsSchema.parse(settings),
  );

it.each([
  ['a plain checkpoint takes any head', {}, undefined, { form: 'residual', layers: 3, heads: 8 }],
  ['the same head', { form: 'anchored' }, { layers: 2, heads: 4 }, {}],
  [
    'the same head with its default FFN',
    { form: 'plain' },
    { layers: 2, heads: 4, hidden: 96 },
    { form: 'plain' },
  ],
  [
    'an FFN alone',
    { form: 'residual' },
    { layers: 0, heads: 1, hidden: 96 },
    { form: 'residual', ist: false },
  ],
  ['heads do not matter without IST', {}, undefined, { ist: false, heads: 5 }],
  ['all blocks', {}, undefined, { trainedBlocks: 12 }],
])('%s', (_, config, head, settings) => {
  expect(() => check(config, head, settings)).not.toThrow();
});

const trained = { layers: 2, heads: 4 };
it.each([
  ['heads that do not divide', {}, undefined, { heads: 5 }, 'Usage.Heads', /heads is 5.*dimension 96/],
  [
    'more blocks than there are',
    {},
    undefined,
    { trainedBlocks: 13 },
    'Usage.Blocks',
    /is 13, .* has 12 blocks/,
  ],
  [
    ...['another form', {}, trained, { form: 'residual' }, 'Usage.HeadDiffers'],
    /has form anchored, ist true, layers 2, heads 4; the settings ask for form residual, ist true, layers 2, heads 4, hidden 96/,
  ],
  ['another depth', {}, trained, { layers: 1 }, 'Usage.HeadDiffers', /layers 2.*layers 1/],
  ['other heads', {}, trained, { heads: 8 }, 'Usage.HeadDiffers', /heads 4.*heads 8/],
  ['no IST', {}, trained, { ist: false }, 'Usage.HeadDiffers', /ist true.*ist false/],
  [
    ...[
      'another width',
      { form: 'plain' },
      { ...trained, hidden: 64 },
      { form: 'plain' },
      'Usage.HeadDiffers',
    ],
    /hidden 64.*hidden 96/,
  ],
] as [string, object, HeadShape | undefined, object, string, RegExp][])(
  'refused: %s',
  (_, config, head, settings, code, message) => {
    expect(() => check(config, head, settings)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) as string }),
    );
  },
);
