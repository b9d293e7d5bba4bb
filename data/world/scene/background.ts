import type { RandomStream } from '../../random.ts';
import { CONTEXTS, type ContextName, type Look } from '../recipe/kinds.ts';
import { SCENE_PX } from './plan.ts';
import { TEXTURES, type TextureName } from './textures.ts';

/** Hue in turns, saturation and lightness in [0, 1]. */
type Hsl = readonly [number, number, number];

/** What the two halves of a background are like. */
interface Half {
  colours: readonly Hsl[];
  textures: readonly TextureName[];
}

const LOOK: Readonly<Record<Look, { above: Half; below: Half }>> = {
  meadow: {
    above: {
      colours: [
        [0.55, 0.5, 0.75],
        [0.13, 0.35, 0.7],
        [0.3, 0.3, 0.5],
      ],
      textures: ['plain', 'clouds', 'trunks'],
    },
    below: {
      colours: [
        [0.27, 0.5, 0.38],
        [0.12, 0.45, 0.5],
        [0.2, 0.45, 0.42],
      ],
      textures: ['grass', 'clouds', 'furrows'],
    },
  },
  water: {
    above: {
      colours: [
        [0.55, 0.55, 0.72],
        [0.6, 0.35, 0.85],
        [0.5, 0.45, 0.6],
      ],
      textures: ['plain', 'clouds'],
    },
    below: {
      colours: [
        [0.55, 0.6, 0.45],
        [0.12, 0.45, 0.75],
        [0.58, 0.25, 0.85],
      ],
      textures: ['waves', 'clouds', 'plain'],
    },
  },
  room: {
    above: {
      colours: [
        [0.1, 0.3, 0.75],
        [0.95, 0.3, 0.72],
        [0.6, 0.2, 0.7],
        [0.35, 0.2, 0.72],
      ],
      textures: ['plain', 'trunks', 'tiles'],
    },
    below: {
      colours: [
        [0.07, 0.4, 0.42],
        [0.08, 0.25, 0.6],
        [0.6, 0.1, 0.55],
      ],
      textures: ['furrows', 'tiles', 'plain'],
    },
  },
  ground: {
    above: {
      colours: [
        [0.57, 0.35, 0.75],
        [0.09, 0.35, 0.78],
        [0.6, 0.08, 0.65],
      ],
      textures: ['plain', 'clouds', 'tiles'],
    },
    below: {
      colours: [
        [0.1, 0.45, 0.62],
        [0.6, 0.06, 0.45],
        [0.28, 0.3, 0.45],
      ],
      textures: ['clouds', 'furrows', 'grass'],
    },
  },
  dark: {
    above: {
      colours: [
        [0.65, 0.5, 0.14],
        [0.75, 0.4, 0.16],
        [0.05, 0.35, 0.15],
      ],
      textures: ['stars', 'trunks', 'plain'],
    },
    below: {
      colours: [
        [0.6, 0.3, 0.14],
        [0.3, 0.3, 0.14],
        [0.05, 0.4, 0.2],
      ],
      textures: ['furrows', 'grass', 'plain'],
    },
  },
};

/** How often a half has a colour of another look, so that no colour is proof. */
const STRANGE_COLOUR = 0.2;

/**
 * Paints a scene's background: two halves with a gradient and a texture each, a tilted and more or less sharp horizon,
 * and noise.
 *
 * @returns RGB, 8 bits each [SCENE_PX, SCENE_PX, 3]
 */
export function paintBackground(stream: RandomStream, context: ContextName): Uint8Array {
  const { above, below } = LOOK[CONTEXTS[context].look];
  const between = (low: number, high: number): number => low + (high - low) * stream.uniform();
  const shades = [drawShade(stream, above), drawShade(stream, below)] as const;
  const horizon = between(0.3, 0.75) * SCENE_PX;
  const tilt = between(-0.2, 0.2);
  const blur = between(0.5, 8);
  const noise = between(2, 16);

  const out = new Uint8Array(SCENE_PX * SCENE_PX * 3);
  for (let y = 0, at = 0; y < SCENE_PX; y++) {
    for (const { from, to, row } of shades)
      for (let channel = 0; channel < 3; channel++)
        row[channel] = from[channel]! + ((to[channel]! - from[channel]!) * y) / SCENE_PX;
    for (let x = 0; x < SCENE_PX; x++, at += 3) {
      const edge = horizon + tilt * (x - SCENE_PX / 2);
      const share = Math.min(1, Math.max(0, 0.5 + (y - edge) / (2 * blur)));
      const relief =
        (share < 1 ? (1 - share) * shades[0].texture(x, y) : 0) + (share > 0 ? share * shades[1].texture(x, y) : 0);
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

function drawShade(stream: RandomStream, half: Half): Shade {
  const pick = <Item>(items: readonly Item[]): Item => items[stream.integer(items.length)]!;
  const jitter = (value: number, by: number): number => value + by * (2 * stream.uniform() - 1);
  const isStrange = stream.uniform() < STRANGE_COLOUR;
  const [hue, saturation, lightness] = pick(half.colours);
  const colour: Hsl = [
    isStrange ? stream.uniform() : jitter(hue, 0.05),
    clampShare(jitter(saturation, isStrange ? 0.5 : 0.2)),
    clampShare(jitter(lightness, 0.12)),
  ];
  const texture = TEXTURES[pick(half.textures)](stream);
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
