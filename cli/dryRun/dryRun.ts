import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Settings } from '../../data/config/schema.ts';
import { claimRun, type RunInputs } from '../../data/run/claim.ts';
import { runIdOf, type TagSpec } from '../../data/run/record.ts';
import { openStore } from '../../data/store/open.ts';
import { dryRun, type DryRunOptions } from '../../workers/dryRun.ts';
import { EXIT } from '../exit.ts';
import { LINE_INTERVAL_S } from '../run/progressDisplay.ts';
import { copyKeyLists, type Sources } from '../sources.ts';
import { estimate } from './estimate.ts';
import { describeDryRun } from './text.ts';

export interface DryRunRequest {
  spec: TagSpec;
  inputs: readonly RunInputs[];
  copies: Sources['copies'];
  /** URI of the run's folder, which stays as it is. */
  output: string;
  settings: Settings;
  json: boolean;
}

/** `tag --dry-run`: says what a run would do and about what it would take, and leaves nothing. Returns the exit code. */
export async function dryRunTag({
  spec,
  inputs,
  copies,
  output,
  settings,
  json,
}: DryRunRequest): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), 'c2srt-dry-run-'));
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    const folder = openStore(dir);
    const createdAt = new Date().toISOString();
    await copyKeyLists(folder, copies);
    const id = runIdOf('tag', output);
    // A language model is not asked: tagging takes as long with WordNet's links.
    const { link: _, ...sampled } = spec;
    await claimRun(folder, inputs, { version: 1, kind: 'tag', id, createdAt, spec: sampled });
    const report = json ? () => undefined : progressLines();
    const found = estimate(spec, await dryRun(folder, { settings, signal: stop.signal, report }), output);
    console.log(json ? JSON.stringify(found) : describeDryRun(found, output));
    return EXIT.ok;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    process.stderr.write(`Stopped. Nothing was written to ${output}.\n`);
    return EXIT.interrupted;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    await rm(dir, { recursive: true, force: true });
  }
}

/** A line for each step and, while objects are listed, now and then. */
function progressLines(): DryRunOptions['report'] {
  process.stderr.write('listing the sources\n');
  let shownMs = Date.now();
  return (progress) => {
    if (progress === 'tagging') process.stderr.write('tagging a sample\n');
    else if (Date.now() - shownMs >= LINE_INTERVAL_S * 1000) {
      shownMs = Date.now();
      process.stderr.write(`listing the sources: ${progress.listed} objects so far\n`);
    }
  };
}
