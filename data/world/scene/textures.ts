import type { RandomStream } from '../../random.ts';
import { between } from './draw.ts';
import { SCENE_PX } from './plan.ts';

/** From a pixel to how much lighter or darker it is, about -1 to 1. */
type Texture = (x: number, y: number) => number;

export const TEXTURES = {
  plain: () => () => 0,
  /** Soft patches. */
  clouds: (stream) => smoothNoise(stream, between(stream, 14, 28), between(stream, 10, 20)),
  /** Fine blades. */
  grass: (stream) => smoothNoise(stream, between(stream, 1.5, 3), between(stream, 3, 7)),
  /** Slanted stripes, as of a field or of boards. */
  furrows(stream) {
    const across = between(stream, -0.8, 0.8);
    const width = between(stream, 5, 12);
    const offset = between(stream, 0, width);
    return (x, y) => (fraction((y + across * x + offset) / width) < 0.5 ? 0.5 : -0.5);
  },
  /** Upright stripes, as of a curtain or of trees. */
  trunks(stream) {
    const width = between(stream, 5, 14);
    const lean = between(stream, -0.15, 0.15);
    return (x, y) => (fraction((x + lean * y) / width) < 0.4 ? -0.6 : 0.3);
  },
  tiles(stream) {
    const width = between(stream, 9, 18);
    const offset = between(stream, 0, width);
    return (x, y) => ((x + offset) % width < 1.5 || (y + offset) % width < 1.5 ? -1 : 0.1);
  },
  waves(stream) {
    const length = between(stream, 14, 30);
    const height = between(stream, 5, 10);
    return (x, y) => wave((y + 2.5 * wave(x / length)) / height) * 0.8;
  },
  stars(stream) {
    const bright = new Map<number, number>();
    for (let left = 12 + stream.integer(30); left > 0; left--)
      bright.set(stream.integer(SCENE_PX * SCENE_PX), between(stream, 2, 9));
    return (x, y) => bright.get(y * SCENE_PX + x) ?? 0;
  },
} satisfies Record<string, (stream: RandomStream) => Texture>;

export type TextureName = keyof typeof TEXTURES;

const fraction = (value: number): number => value - Math.floor(value);

/** A wave of period 1 and height 1 of parabolas: unlike a sine it is the same on every machine. */
function wave(at: number): number {
  const phase = 2 * fraction(at) - 1;
  return -4 * phase * (1 - Math.abs(phase));
}

/** Random values on a grid, linear between them; its cells are `width` by `height` pixels. */
function smoothNoise(stream: RandomStream, width: number, height: number): Texture {
  const columns = Math.ceil(SCENE_PX / width) + 1;
  const rows = Math.ceil(SCENE_PX / height) + 1;
  const values = Float64Array.from({ length: columns * rows }, () => 2 * stream.uniform() - 1);
  return (x, y) => {
    const column = Math.floor(x / width);
    const row = Math.floor(y / height);
    const right = x / width - column;
    const down = y / height - row;
    const at = row * columns + column;
    const upper = values[at]! * (1 - right) + values[at + 1]! * right;
    const lower = values[at + columns]! * (1 - right) + values[at + columns + 1]! * right;
    return upper * (1 - down) + lower * down;
  };
}
