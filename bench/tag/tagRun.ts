/** A run of `c2srt tag` in a process of its own, timed. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, stat, watch, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { RECEIPTS, SPOOL } from '../../data/run/layout.ts';

export interface TagRunOptions {
  images: string;
  model: string;
  /** Categories by the vocabulary's name. */
  vocabularies: Readonly<Record<string, readonly string[]>>;
  threads: number;
  decodeProcesses: number;
  batchSize: number;
}

/** One contestant's round. */
export interface Round {
  images: number;
  /** From the first image's start to the last tags (bare) or the last receipt (`c2srt tag`). */
  steadyMs: number;
  /** From the process's start to its end. */
  wholeMs: number;
}

const COMMAND = fileURLToPath(new URL('../../cli/c2srt.mjs', import.meta.url));

/** Tags the images into `folder`, whose Temporal server's state stays for the next run. */
export async function runTag(options: TagRunOptions, folder: string): Promise<Round> {
  const out = join(folder, 'out');
  await rm(out, { recursive: true, force: true });
  await mkdir(out);
  const categories: string[] = [];
  for (const [name, words] of Object.entries(options.vocabularies)) {
    const file = join(folder, `${name}.json`);
    await writeFile(file, JSON.stringify(words));
    categories.push('--categories', `${name}=${file}`);
  }
  const { TEMPORAL_ADDRESS: _, ...env } = process.env;
  const startedMs = performance.now();
  const command = promisify(execFile)(
    process.execPath,
    [
      ...[COMMAND, 'tag', options.images, '--json', '--out', out, ...categories],
      ...['--model', options.model, '--state-dir', join(folder, 'state')],
      ...['--provider', 'cpu', '--threads', String(options.threads)],
      ...['--decode-processes', String(options.decodeProcesses), '--batch-size', String(options.batchSize)],
    ],
    { cwd: folder, env },
  );
  const firstMs = await firstImageMs(out, command);
  const { stdout } = await command;
  const wholeMs = performance.now() - startedMs;
  const receipts = join(out, RECEIPTS);
  const times = (await readdir(receipts)).map(async (name) => (await stat(join(receipts, name))).mtimeMs);
  const lastMs = Math.max(...(await Promise.all(times)));
  const { tagged } = JSON.parse(stdout) as { tagged: number };
  return { images: tagged, steadyMs: lastMs - firstMs, wholeMs };
}

/** When the run announced its first images in the spool, which it does right before it starts them; ms since 1970. */
async function firstImageMs(out: string, ended: Promise<unknown>): Promise<number> {
  const over = ended.then(() => Promise.reject(new Error(`the run ended without ${SPOOL} in ${out}`)));
  const seen = async (): Promise<number> => {
    for await (const _ of watch(out)) if (existsSync(join(out, SPOOL))) break;
    return Date.now();
  };
  return Promise.race([seen(), over]);
}

export const median = (list: readonly number[]): number => {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};
