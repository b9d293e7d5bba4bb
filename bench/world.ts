/**
 * What training gains on the bundled world: `c2srt train` on its training scenes, for each number of shards and each seed,
 * then `c2srt tag` with the untrained and the trained models on scenes of two other artists' styles. The graph of the
 * world has the co-occurrences that its scenes were drawn from, nearly an oracle for that relation.
 *
 *     npm run bench -- world [--world DIR] [--seeds N] [--shards 1,2] [--config FILE] [--held-back 0..3] [--work DIR] [--json FILE]
 *
 * Settings are chosen with `--held-back` alone: it leaves the truly unseen categories and the test scenes out.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Agreement } from '../cli/demo/assets.ts';
import { printTable } from '../cli/demo/report.ts';
import { evaluateModel, train, type Training } from './world/commands.ts';
import { openHeldBackWorld, openWorld, PARTS, type SplitName, type World } from './world/data.ts';
import {
  CELLS,
  gainsOf,
  meanAndSpread,
  PROTOTYPE,
  shortfalls,
  spreadText,
  type Gains,
} from './world/figures.ts';

const { values: flags } = parseArgs({
  options: {
    world: { type: 'string', default: fileURLToPath(new URL('../../shared/world', import.meta.url)) },
    /** Seeds 0 to N - 1. */
    seeds: { type: 'string', default: '1' },
    shards: { type: 'string', default: '1,2' },
    /** Configuration file with a `train` section. */
    config: { type: 'string' },
    /** Which quarter of the seen categories is scored as if unseen. */
    'held-back': { type: 'string' },
    /** Where the runs lie; they stay there, and the same command goes on with them. */
    work: { type: 'string' },
    json: { type: 'string' },
  },
});

/** Figures in percent, by split. */
type Evaluation = Partial<Record<SplitName, Agreement>>;

interface TrainedModel extends Training {
  seed: number;
  shards: number;
  figures: Evaluation;
}

async function evaluateSplits(
  world: World,
  work: string,
  model: string,
  splits: readonly SplitName[],
): Promise<Evaluation> {
  const figures: Evaluation = {};
  for (const split of splits) figures[split] = await evaluateModel(world, work, model, split);
  return figures;
}

/** A column for the untrained model and one per number of shards, the gains beside them; a line per figure. */
function printSplit(split: SplitName, untrained: Agreement, trained: readonly TrainedModel[]): void {
  const shardCounts = [...new Set(trained.map(({ shards }) => shards))];
  const signed = (gains: Gains, { protocol, name }: (typeof CELLS)[number]) => {
    const gain = gains[protocol][name];
    return (gain.mean >= 0 ? '+' : '') + spreadText(gain);
  };
  console.log(`\n${split}, in percent; mean ± standard deviation over seeds:\n`);
  printTable(
    [
      '',
      'untrained',
      ...shardCounts.flatMap((shards) => [`${shards} ${shards === 1 ? 'shard' : 'shards'}`, 'gain']),
      ...(split === 'test' ? ["prototype's gain"] : []),
    ],
    CELLS.map((cell) => {
      const { protocol, name } = cell;
      const columns = shardCounts.flatMap((shards) => {
        const own = trained.filter((model) => model.shards === shards).map(({ figures }) => figures[split]!);
        const figure = meanAndSpread(own.map((agreement) => agreement[protocol][name]));
        return [spreadText(figure), signed(gainsOf(untrained, own), cell)];
      });
      return [
        `${protocol} ${name}`,
        untrained[protocol][name].toFixed(2),
        ...columns,
        ...(split === 'test' ? [signed(PROTOTYPE, cell)] : []),
      ];
    }),
  );
}

/** Says whether training does what it should: better on validation, and on test as much better as the prototype's. */
function judge(untrained: Evaluation, trained: readonly TrainedModel[]): boolean {
  let met = true;
  for (const shards of new Set(trained.map((model) => model.shards))) {
    const gains = (split: SplitName) =>
      gainsOf(
        untrained[split]!,
        trained.filter((model) => model.shards === shards).map(({ figures }) => figures[split]!),
      );
    const { ZSL } = gains('val');
    const worse = (['mAP', 'F1@3'] as const).filter((name) => ZSL[name].mean <= 0);
    const short = [
      ...worse.map((name) => `ZSL ${name} on val is no better than untrained`),
      ...(untrained.test ? shortfalls(gains('test')) : []),
    ];
    console.log(
      `${shards} ${shards === 1 ? 'shard' : 'shards'}: ${short.length === 0 ? 'met' : `NOT met: ${short.join('; ')}`}`,
    );
    met &&= short.length === 0;
  }
  return met;
}

async function bench(work: string): Promise<void> {
  const part = flags['held-back'] === undefined ? undefined : Number(flags['held-back']);
  if (part !== undefined && !(part >= 0 && part < PARTS && Number.isInteger(part)))
    throw new Error(`--held-back is ${flags['held-back']}: expected 0 to ${PARTS - 1}`);
  const dir = resolve(flags.world);
  const world = part === undefined ? openWorld(dir) : await openHeldBackWorld(dir, work, part);
  const splits: SplitName[] = part === undefined ? ['val', 'test'] : ['val'];
  const unseen = world.categories.filter(({ split }) => split === 'unseen').length;
  console.log(
    `${world.categories.length} categories, ${unseen} of them ${part === undefined ? 'unseen' : `seen ones held back (quarter ${part})`}`,
  );
  const untrained = await evaluateSplits(world, work, world.model, splits);
  const trained: TrainedModel[] = [];
  for (let seed = 0; seed < Number(flags.seeds); seed++)
    for (const shards of flags.shards.split(',').map(Number)) {
      const name = `seed${seed}-shards${shards}${part === undefined ? '' : `-held-back${part}`}`;
      const out = join(work, name);
      const config = flags.config === undefined ? {} : { config: resolve(flags.config) };
      console.log(`${name}: training ...`);
      const training = await train(world, work, out, { seed, shards, ...config });
      const figures = await evaluateSplits(world, work, out, splits);
      trained.push({ seed, shards, ...training, figures });
      const { rounds, bestRound, loss, seconds } = training;
      const { ZSL } = figures.val!;
      console.log(
        `${name}: ${(seconds / 60).toFixed(1)} min, loss ${loss.toFixed(4)}, round ${bestRound} of ${rounds}; val ZSL mAP ${ZSL.mAP.toFixed(2)}, F1@3 ${ZSL['F1@3'].toFixed(2)}`,
      );
    }
  for (const split of splits) printSplit(split, untrained[split]!, trained);
  console.log(
    `\nTo be met: on unseen categories better mAP and F1@3 than untrained on val${part === undefined ? ", and on test gains within the prototype's spread of its gains" : ''}.`,
  );
  if (!judge(untrained, trained)) process.exitCode = 1;
  if (flags.json !== undefined)
    await writeFile(flags.json, `${JSON.stringify({ untrained, trained, prototype: PROTOTYPE }, null, 1)}\n`);
}

if (flags.work === undefined) {
  const work = await mkdtemp(join(tmpdir(), 'c2srt-world-'));
  try {
    await bench(work);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
} else {
  const work = resolve(flags.work);
  await mkdir(work, { recursive: true });
  await bench(work);
}
