import type { RandomStream } from '../../random.ts';
import { CONTEXTS, type ContextName, type Palette, type Surface } from '../recipe/kinds.ts';
import { between, chance, pick } from './draw.ts';
import { SCENE_PX } from './plan.ts';
import { TEXTURES, type TextureName } from './textures.ts';

/** Hue in turns, saturation and lightness in [0, 1]. */
type Hsl = readonly [number, number, number];

/** What the upper and the lower half of a background may be like. */
interface Halves<Choice> {
  above: readonly Choice[];
  below: readonly Choice[];
}

const COLOURS: Readonly<Record<Palette, Halves<Hsl>>> = {
  green: {
    above: [
      [0.3, 0.35, 0.6],
      [0.48, 0.35, 0.7],
    ],
    below: [
      [0.27, 0.5, 0.38],
      [0.22, 0.45, 0.45],
    ],
  },
  sand: {
    above: [
      [0.12, 0.45, 0.78],
      [0.55, 0.4, 0.75],
    ],
    below: [
      [0.12, 0.5, 0.65],
      [0.08, 0.45, 0.58],
    ],
  },
  blue: {
    above: [
      [0.55, 0.55, 0.72],
      [0.6, 0.5, 0.6],
    ],
    below: [
      [0.57, 0.6, 0.45],
      [0.5, 0.5, 0.5],
    ],
  },
  pale: {
    above: [
      [0.6, 0.2, 0.85],
      [0.1, 0.15, 0.85],
    ],
    below: [
      [0.55, 0.15, 0.82],
      [0.12, 0.2, 0.75],
    ],
  },
  grey: {
    above: [
      [0.6, 0.08, 0.62],
      [0.57, 0.2, 0.7],
    ],
    below: [
      [0.6, 0.06, 0.45],
      [0.28, 0.15, 0.45],
    ],
  },
  warm: {
    above: [
      [0.08, 0.4, 0.72],
      [0.95, 0.35, 0.72],
    ],
    below: [
      [0.05, 0.45, 0.45],
      [0.09, 0.4, 0.55],
    ],
  },
  dark: {
    above: [
      [0.68, 0.45, 0.14],
      [0.05, 0.35, 0.14],
    ],
    below: [
      [0.6, 0.3, 0.14],
      [0.03, 0.4, 0.17],
    ],
  },
};

const SURFACES: Readonly<Record<Surface, Halves<TextureName>>> = {
  stripes: { above: ['trunks'], below: ['plain', 'furrows', 'clouds'] },
  soft: { above: ['clouds', 'plain'], below: ['clouds'] },
  grass: { above: ['plain', 'clouds'], below: ['grass'] },
  furrows: { above: ['plain', 'tiles', 'clouds'], below: ['furrows'] },
  waves: { above: ['plain', 'clouds'], below: ['waves'] },
  tiles: { above: ['tiles', 'plain'], below: ['tiles'] },
  specks: { above: ['stars'], below: ['plain', 'grass'] },
};

/** How often a half has a colour of no palette, and a scene a surface drawn from all, so that neither is proof. */
const STRANGE_COLOUR = 0.2;
const STRANGE_SURFACE = 0.3;

/**
 * Paints a scene's background: two halves with a gradient and a texture each, a tilted and more or less sharp horizon,
 * and noise.
 *
 * @returns RGB, 8 bits each [SCENE_PX, SCENE_PX, 3]
 */
export function paintBackground(stream: RandomStream, context: ContextName): Uint8Array {
  const { palette, surface } = CONTEXTS[context];
  const { above, below } = chance(stream, STRANGE_SURFACE)
    ? pick(stream, Object.values(SURFACES))
    : SURFACES[surface];
  const shades = [
    drawShade(stream, COLOURS[palette].above, above),
    drawShade(stream, COLOURS[palette].below, below),
  ] as const;
  const horizon = between(stream, 0.3, 0.75) * SCENE_PX;
  const tilt = between(stream, -0.2, 0.2);
  const blur = between(stream, 0.5, 8);
  const noise = between(stream, 2, 16);

  const out = new Uint8Array(SCENE_PX * SCENE_PX * 3);
  for (let y = 0, at = 0; y < SCENE_PX; y++) {
    for (const { from, to, row } of shades)
      for (let channel = 0; channel < 3; channel++)
        row[channel] = from[channel]! + ((to[channel]! - from[channel]!) * y) / SCENE_PX;
    for (let x = 0; x < SCENE_PX; x++, at += 3) {
      const edge = horizon + tilt * (x - SCENE_PX / 2);
      const share = Math.min(1, Math.max(0, 0.5 + (y - edge) / (2 * blur)));
      const relief =
        (share < 1 ? (1 - share) * shades[0].texture(x, y) : 0) +
        (share > 0 ? share * shades[1].texture(x, y) : 0);
      const word = stream.word();
      for (let channel = 0; channel < 3; channel++) {
        const base = shades[0].row[channel]! * (1 - share) + shades[1].row[channel]! * share;
        const grain = (((word >>> (8 * channel)) & 255) / 127.5 - 1) * noise;
        out[at + channel] = clampByte(base + relief + grain);
      }
    }
  }
  return out;
}

type Rgb = readonly [number, number, number];

/** A half with its colours drawn. */
interface Shade {
  /** At the scene's top and at its bottom, 0 to 255. */
  from: Rgb;
  to: Rgb;
  /** In the row that is being painted. */
  row: [number, number, number];
  /** What is added to all three at a pixel. */
  texture: (x: number, y: number) => number;
}

function drawShade(stream: RandomStream, colours: readonly Hsl[], textures: readonly TextureName[]): Shade {
  const jitter = (value: number, by: number): number => between(stream, value - by, value + by);
  const isStrange = chance(stream, STRANGE_COLOUR);
  const [hue, saturation, lightness] = pick(stream, colours);
  const colour: Hsl = [
    isStrange ? stream.uniform() : jitter(hue, 0.05),
    clampShare(jitter(saturation, isStrange ? 0.5 : 0.2)),
    clampShare(jitter(lightness, 0.12)),
  ];
  const texture = TEXTURES[pick(stream, textures)](stream);
  const depth = 6 + 18 * stream.uniform();
  return {
    from: rgbOf(colour),
    to: rgbOf([jitter(colour[0], 0.03), colour[1], clampShare(jitter(colour[2], 0.15))]),
    row: [0, 0, 0],
    texture: (x, y) => depth * texture(x, y),
  };
}

const clampShare = (value: number): number => Math.min(1, Math.max(0, value));

const clampByte = (value: number): number => Math.min(255, Math.max(0, Math.round(value)));

/** Red, green and blue, 0 to 255. */
function rgbOf([hue, saturation, lightness]: Hsl): Rgb {
  const chroma = saturation * Math.min(lightness, 1 - lightness);
  const channel = (shift: number): number => {
    const sector = (((shift + hue * 12) % 12) + 12) % 12;
    return 255 * (lightness - chroma * Math.max(-1, Math.min(sector - 3, 9 - sector, 1)));
  };
  return [channel(0), channel(8), channel(4)];
}
