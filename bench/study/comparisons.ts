/**
 * Differences between rows. Two rows are compared seed by seed, on the same images: the same seed draws the same batches,
 * first parameters and permutation for both. Reported are the paired t test over the seeds, which says whether training
 * again would give the same sign, and an interval from resamples of both seeds and images.
 */
import jStat from 'jstat';
import { resampleSums } from '../../model/evaluation/bootstrap.ts';
import { randomStream } from '../../data/random.ts';
import { FIGURES, mean, PROTOCOLS, sum, TOP_K, type Figure, type Measures, type Protocol } from './measures.ts';

const RESAMPLES = 2000;
const CONFIDENCE = 0.95;

export interface Difference {
  /** Mean over the seeds, in points. */
  mean: number;
  /** Standard deviation over the seeds; null of one seed. */
  sd: number | null;
  /** Of the paired t test over the seeds, two-sided; null of one seed. */
  p: number | null;
  /** 95 % of the resamples of seeds and images. */
  interval: [number, number];
}

export type Differences = Record<Protocol, Record<Figure, Difference>>;

/** Runs of a row, by seed; a row that has no seeds has one run, which is paired with all of the other's. */
export type Runs = readonly Measures[];

/** What each run's figures come to in each resample of the images. */
type Resampled = Record<Protocol, Record<Figure, Float64Array>>;

/** Figures of all runs in the same resamples of the images. */
export async function resampleRuns(runs: readonly Measures[]): Promise<Map<Measures, Resampled>> {
  const columns: Float64Array[] = [];
  const place = (values: readonly number[]): number => columns.push(Float64Array.from(values)) - 1;
  const shared = new Map(PROTOCOLS.map((protocol) => [protocol, place(runs[0]![protocol].positives)]));
  const places = runs.map((run) =>
    PROTOCOLS.map((protocol) => ({
      protocol,
      influences: place(run[protocol].influences),
      hits: run[protocol].hits.map(place),
    })),
  );
  const images = runs[0]!.ZSL.positives.length;
  const sums = await resampleSums(columns, { images, resamples: RESAMPLES, seed: 0 });
  return new Map(
    runs.map((run, at) => [
      run,
      Object.fromEntries(
        places[at]!.map(({ protocol, influences, hits }) => {
          const positives = sums[shared.get(protocol)!]!.resampled;
          const f1 = TOP_K.map((k, i) => [
            `F1@${k}`,
            sums[hits[i]!]!.resampled.map((hit, r) => (200 * hit) / (images * k + positives[r]!)),
          ]);
          const { mAP } = run[protocol].figures;
          const mAPs = sums[influences]!.resampled.map((change) => mAP + change);
          return [protocol, Object.fromEntries([['mAP', mAPs], ...f1])];
        }),
      ) as Resampled,
    ]),
  );
}

/** Figures of `a` less those of `b`. */
export function compare(a: Runs, b: Runs, resampled: ReadonlyMap<Measures, Resampled>): Differences {
  const seeds = Math.max(a.length, b.length);
  const pairs = Array.from({ length: seeds }, (_, seed) => [of(a, seed), of(b, seed)] as const);
  const drawn = Array.from({ length: RESAMPLES }, (_, r) => {
    const random = randomStream('seeds', r);
    return Array.from({ length: seeds }, () => random.integer(seeds));
  });
  const difference = (protocol: Protocol, figure: Figure): Difference => {
    const own = pairs.map(([x, y]) => x[protocol].figures[figure] - y[protocol].figures[figure]);
    const samples = pairs.map(([x, y]) => {
      const [ofX, ofY] = [resampled.get(x)!, resampled.get(y)!].map((run) => run[protocol][figure]);
      return ofX!.map((value, r) => value - ofY![r]!);
    });
    const resamples = drawn.map((chosen, r) => mean(chosen.map((seed) => samples[seed]![r]!)));
    resamples.sort((x, y) => x - y);
    const tail = Math.floor(((1 - CONFIDENCE) / 2) * RESAMPLES);
    return { ...spread(own), interval: [resamples[tail]!, resamples[RESAMPLES - 1 - tail]!] };
  };
  return Object.fromEntries(
    PROTOCOLS.map((protocol) => [
      protocol,
      Object.fromEntries(FIGURES.map((figure) => [figure, difference(protocol, figure)])),
    ]),
  ) as Differences;
}

const of = (runs: Runs, seed: number): Measures => runs[Math.min(seed, runs.length - 1)]!;

function spread(values: readonly number[]): Pick<Difference, 'mean' | 'sd' | 'p'> {
  const center = mean(values);
  const sd = standardDeviation(values);
  if (sd === null) return { mean: center, sd, p: null };
  const t = center / (sd / Math.sqrt(values.length));
  // Without any spread, as between a row and itself, nothing is shown.
  const p = sd === 0 ? (center === 0 ? 1 : 0) : 2 * (1 - jStat.studentt.cdf(Math.abs(t), values.length - 1));
  return { mean: center, sd, p };
}

/** Of a sample; null of one value. */
export function standardDeviation(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const center = mean(values);
  return Math.sqrt(sum(values.map((value) => (value - center) ** 2)) / (values.length - 1));
}
