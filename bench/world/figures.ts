/** What runs came to, as gains over the untrained model. */
import type { Agreement, Figures } from '../../cli/demo/assets.ts';

/** Over runs: `spread` is the sample standard deviation, null of a single run. */
export interface Spread {
  mean: number;
  spread: number | null;
}

export type Gains = Record<keyof Agreement, Record<keyof Figures, Spread>>;

const PROTOCOLS = ['ZSL', 'GZSL'] as const;
const NAMES = ['mAP', 'F1@3', 'F1@5'] as const;

/**
 * What a PyTorch prototype gained over training-free CLIP + ISR on all 1,500 test scenes, of which the world's 600 are the
 * first: 3 seeds, the anchored form, this project's default settings but for the norm of the distillation. Its spread is
 * that of its trained models.
 */
export const PROTOTYPE = {
  ZSL: {
    mAP: { mean: 23.87 - 22.72, spread: 0.18 },
    'F1@3': { mean: 30.6 - 25.3, spread: 1.2 },
    'F1@5': { mean: 30.3 - 24.9, spread: 1.1 },
  },
  GZSL: {
    mAP: { mean: 24.6 - 23.47, spread: 0.12 },
    'F1@3': { mean: 24.9 - 17.9, spread: 1.5 },
    'F1@5': { mean: 32.2 - 22.9, spread: 1.4 },
  },
} satisfies Gains;

/** One line per protocol and figure. */
export const CELLS = PROTOCOLS.flatMap((protocol) => NAMES.map((name) => ({ protocol, name })));

export function meanAndSpread(values: readonly number[]): Spread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, spread: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : null };
}

/** As `1.23 ± 0.45`. */
export const spreadText = ({ mean, spread }: Spread): string =>
  mean.toFixed(2) + (spread === null ? '' : ` ± ${spread.toFixed(2)}`);

/** Gains of trained models, in points. */
export function gainsOf(untrained: Agreement, trained: readonly Agreement[]): Gains {
  const protocol = (of: keyof Agreement) => {
    const gain = (name: keyof Figures) =>
      meanAndSpread(trained.map((agreement) => agreement[of][name] - untrained[of][name]));
    return { mAP: gain('mAP'), 'F1@3': gain('F1@3'), 'F1@5': gain('F1@5') };
  };
  return { ZSL: protocol('ZSL'), GZSL: protocol('GZSL') };
}

/** Where mean gains on unseen categories fall short of the prototype's by more than its spread. */
export function shortfalls({ ZSL }: Gains): string[] {
  return (['mAP', 'F1@3'] as const)
    .map((name) => ({
      name,
      gain: ZSL[name].mean,
      least: PROTOTYPE.ZSL[name].mean - PROTOTYPE.ZSL[name].spread,
    }))
    .filter(({ gain, least }) => gain < least)
    .map(({ name, gain, least }) => `ZSL ${name} gains ${gain.toFixed(2)}, less than ${least.toFixed(2)}`);
}
