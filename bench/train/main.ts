/**
 * Time of a training step (two blocks of the vision encoder, head, losses, backward pass, AdamW) beside PyTorch's eager
 * mode on the same inputs, cores and sizes, in turns; and the share of the machine's matrix-product limit that it reaches.
 * PyTorch is installed into an environment of its own in the cache folder; where it cannot be, only our figures are printed.
 *
 *     npm run bench -- train [--only TEXT] [--rounds N] [--threads N] [--python PATH] [--no-torch]
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { pythonEnvironment } from '../../infra/pythonEnvironment.ts';
import { STEP_CASES, writeStepCase, type StepCase } from './cases.ts';
import { COMPARED_STEPS, LIMIT, type Contestant } from './contestant.ts';

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '7' },
    threads: { type: 'string', default: String(availableParallelism()) },
    /** A Python that has PyTorch, in place of an environment of its own. */
    python: { type: 'string' },
    torch: { type: 'boolean', default: true },
  },
  allowNegative: true,
});

/** What our step must reach of PyTorch's speed. */
const TARGET = 0.8;
/** Relative difference of losses that is taken for rounding. */
const LOSS_TOLERANCE = 1e-3;
/** A round has as many steps as take about this long. */
const ROUND_MS = 2000;

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** A process that runs steps when it is told to, and waits in between. */
class Runner {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  private readonly output: Interface;

  constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.output = createInterface({ input: this.child.stdout! });
    this.lines = this.output[Symbol.asyncIterator]();
  }

  async describe(): Promise<Contestant> {
    return (await this.next()) as Contestant;
  }

  /** Times of `count` steps in ms. */
  async steps(count: number): Promise<number[]> {
    this.child.stdin!.write(`${count}\n`);
    return (await this.next()) as number[];
  }

  /** Floating-point operations per second that a large matrix product reaches now. */
  async limit(): Promise<number> {
    this.child.stdin!.write(`${LIMIT}\n`);
    return (await this.next()) as number;
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.stdin!.end();
    await exited;
  }

  private async next(): Promise<unknown> {
    const { value, done } = (await this.lines.next()) as IteratorResult<string, undefined>;
    if (done === true) throw new Error(`${this.child.spawnargs.join(' ')} ended early`);
    return JSON.parse(value);
  }
}

const median = (list: readonly number[]): number => {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

async function contest(step: StepCase, dir: string, python: string | undefined): Promise<boolean> {
  writeStepCase(dir, step);
  console.log(`\n${step.name}: batch ${step.batch}, in-degree ${step.inDegree}, ${flags.threads} threads`);
  // One after the other: a process that gets ready would disturb the other's first figures.
  const ours = new Runner(process.execPath, [here('./ourStep.ts'), dir, flags.threads]);
  const own = await ours.describe();
  const torch =
    python === undefined
      ? undefined
      : // PyTorch warns where there is no NumPy, which this does not use.
        new Runner(python, [
          '-W',
          'ignore',
          here('./torchStep.py'),
          dir,
          flags.threads,
          String(COMPARED_STEPS),
        ]);
  try {
    if (torch) compareLosses(own, await torch.describe());
    const [firstMs] = (await ours.steps(1)) as [number];
    const count = Math.max(1, Math.round(ROUND_MS / firstMs));
    const times = { ours: [] as number[], torch: [] as number[] };
    const ratios: number[] = [];
    let limitFlops = 0;
    for (let round = 0; round < Number(flags.rounds); round++) {
      // Who goes first alternates: what a machine does in between (heat, caches) favours neither.
      const before = round % 2 === 0 ? await torch?.steps(count) : undefined;
      const ourMs = await ours.steps(count);
      const torchMs = before ?? (await torch?.steps(count)) ?? [];
      limitFlops = Math.max(limitFlops, await ours.limit());
      times.ours.push(...ourMs);
      times.torch.push(...torchMs);
      if (torch) ratios.push(median(torchMs) / median(ourMs));
    }
    return report(own, limitFlops, times, ratios);
  } finally {
    await Promise.all([ours.close(), torch?.close()]);
  }
}

function compareLosses(ours: Contestant, torch: Contestant): void {
  for (const [i, loss] of ours.losses.entries()) {
    const other = torch.losses[i]!;
    if (!(Math.abs(loss - other) <= LOSS_TOLERANCE * Math.abs(other)))
      throw new Error(`in step ${i + 1} our loss is ${loss} and PyTorch's ${other}`);
  }
  console.log(`  losses agree: ${ours.losses.map((loss) => loss.toFixed(4)).join(', ')}`);
}

/** Prints the figures; whether the target is met. */
function report(
  { flops }: Contestant,
  limitFlops: number,
  times: { ours: number[]; torch: number[] },
  ratios: number[],
): boolean {
  const best = Math.min(...times.ours);
  const reached = flops! / (best / 1000);
  const giga = (value: number) => `${(value / 1e9).toFixed(0)} GFLOP/s`;
  const figures = (own: readonly number[]) =>
    `${median(own).toFixed(0)} ms per step, the fastest ${Math.min(...own).toFixed(0)}`;
  console.log(`  ours     ${figures(times.ours)}`);
  console.log(
    `           its matrix products are ${(flops! / 1e9).toFixed(1)} GFLOP: ${giga(reached)} in the fastest, ${((100 * reached) / limitFlops).toFixed(0)} % of the limit of ${giga(limitFlops)}`,
  );
  if (ratios.length === 0) return true;
  const ratio = median(ratios);
  const met = ratio >= TARGET;
  console.log(`  PyTorch  ${figures(times.torch)}`);
  console.log(
    `  speed of ours over PyTorch's: ${ratio.toFixed(2)} (target ${TARGET}: ${met ? 'met' : 'NOT met'}; rounds ${ratios.map((r) => r.toFixed(2)).join(', ')}; fastest steps ${(Math.min(...times.torch) / best).toFixed(2)})`,
  );
  return met;
}

async function findTorch(): Promise<string | undefined> {
  if (!flags.torch) return undefined;
  if (flags.python !== undefined) return flags.python;
  try {
    return await pythonEnvironment(
      {
        name: 'torch',
        purpose: 'PyTorch, which the bench compares with',
        packages: ['torch==2.15.0'],
        expect: 'some minutes, 5 GB where its wheel brings CUDA along',
      },
      console.log,
    );
  } catch (error) {
    console.log(`PyTorch cannot be installed, so there is nothing to compare with: ${String(error)}`);
    return undefined;
  }
}

const python = await findTorch();
for (const step of STEP_CASES.filter(({ name }) => name.includes(flags.only))) {
  const dir = await mkdtemp(join(tmpdir(), 'c2srt-train-'));
  try {
    if (!(await contest(step, dir, python))) process.exitCode = 1;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
