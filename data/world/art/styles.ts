export const DOMAINS = ['web', 'target'] as const;
export type Domain = (typeof DOMAINS)[number];

export const WORLD_SPLITS = ['train', 'val', 'test'] as const;
export type WorldSplit = (typeof WORLD_SPLITS)[number];

/** An artist's icon set: the package `@iconify-json/<name>`, whose art may be used and changed where it is named. */
export interface Style {
  name: string;
  /** What its NOTICE says, besides the licence. */
  credit: string;
}

const NOTO = { name: 'noto', credit: 'Noto Emoji, copyright Google Inc.' };
const NOTO_V1 = { name: 'noto-v1', credit: 'Noto Emoji (version 1), copyright Google Inc.' };
const FXEMOJI = { name: 'fxemoji', credit: 'Firefox OS Emoji (FxEmojis), copyright Mozilla Foundation' };
const FLUENT = {
  name: 'fluent-emoji-flat',
  credit: 'Fluent Emoji (flat), copyright Microsoft Corporation',
};
const EMOJIONE = { name: 'emojione', credit: 'EmojiOne (version 2), copyright Ranks.com Inc.' };
const TWEMOJI = { name: 'twemoji', credit: 'Twemoji, copyright Twitter, Inc. and other contributors' };

/** Whose pictures a split is drawn with, in both domains: no artist draws for two splits. */
export const STYLES: Readonly<Record<WorldSplit, readonly Style[]>> = {
  train: [NOTO, NOTO_V1, FXEMOJI, FLUENT],
  val: [EMOJIONE],
  test: [TWEMOJI],
};
