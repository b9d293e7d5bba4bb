import type { Command } from 'commander';
import type { Settings } from '../../data/config/schema.ts';
import { Failure } from '../../data/failure.ts';
import { sourcesBeside } from '../../data/chain/sourcesBeside.ts';
import { claimRun, refuseDifferent } from '../../data/run/claim.ts';
import { specDifferences } from '../../data/run/differences.ts';
import { MANIFEST, SUCCESS } from '../../data/run/layout.ts';
import { readJson } from '../../data/store/json.ts';
import { readRunRecord, sourceAccess, type RunRecord, type TagSpec } from '../../data/run/record.ts';
import { liesWithin } from '../../data/run/plan/nestedSources.ts';
import { canonicalUri, openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { temporalConnection } from '../../infra/temporalConnection.ts';
import { dryRunTag } from '../dryRun/dryRun.ts';
import { checkKeyLists, copyKeyLists, readSources, type SourceFlags, type Sources } from '../sources.ts';
import { launch } from '../run/launch.ts';
import { modelUri, prefetchModel } from '../models.ts';
import { CONTROL_SETTINGS, sectionOf, settingsOf, WORKER_SETTINGS, withSettings } from '../options.ts';
import { runOfFolder } from '../run/runReference.ts';
import { tagSummary } from '../run/tag/outcome.ts';
import {
  readVocabularies,
  runVocabularyOf,
  type AskedVocabulary,
  type VocabularyFlags,
} from '../vocabularies.ts';
import type { TagCorpusResult } from '../../workflows/tag/tagTypes.ts';

export interface TagFlags extends SourceFlags, VocabularyFlags {
  out: string;
  include?: string[];
  exclude?: string[];
  since?: string;
  embedding?: boolean;
  dryRun?: boolean;
  config?: string;
  json?: boolean;
}

export function tagCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('tag')
    .description('Tag every image of a bucket or folder with the categories of a file, into Parquet.')
    .argument(
      '[sources...]',
      's3://bucket/prefix, file:///folder, a folder, or the manifest.json of an S3 Inventory report',
    )
    .requiredOption(
      '--categories <[name=]file>',
      'categories: text (one per line), JSON or CSV; may be given again, for several vocabularies in one pass',
      addValue,
    )
    .requiredOption('--out <uri>', "the run's folder: s3://bucket/prefix or a folder, outside the sources")
    .option(
      '--keys <list>',
      'only the keys of a list, of which the sources say where; may be given again',
      addValue,
    )
    .option(
      '--inventory <manifest>',
      'S3 Inventory manifest to read instead of listing; may be given again',
      addValue,
    )
    .option(
      '--dry-run',
      'only say what would be tagged, and what it would take by a sample that is really tagged',
    )
    .option('--json', 'print one JSON object at the end, nothing else');
  withTagFlags(command);
  withSettings(command, [
    'model',
    'shardSize',
    ...CONTROL_SETTINGS,
    ...WORKER_SETTINGS,
    'maxBytes',
    'maxPixels',
    'decodeTimeoutMs',
    'stateDir',
  ]);
  command.action(async (sources: string[], flags: TagFlags) => finish(await tag(sources, flags)));
}

/** Collects the values of an option that may be given again. */
export const addValue = (value: string, before: string[] = []): string[] => [...before, value];

/** Adds the flags that say what a run makes of its sources, categories and folder. */
export function withTagFlags(command: Command): Command {
  return command
    .option('--unsigned', 'read the sources without credentials, as public buckets allow')
    .option('--requester-pays', 'agree to pay for reading the sources')
    .option(
      '--graph <[name=]file>',
      "category graph, JSON or CSV (default: the model's own, and WordNet links for categories that it lacks); with a name: of that vocabulary",
      addValue,
    )
    .option('--include <glob...>', 'only keys that match; a glob without / matches the last part of the key')
    .option('--exclude <glob...>', 'not the keys that match')
    .option('--since <run>', 'only keys that are new or changed since that finished run (its folder)')
    .option(
      '--top-k <[name=]n>',
      'at most this many tags per image and vocabulary (default: 10 for a model without calibration)',
      addValue,
    )
    .option(
      '--threshold <[name=]score>',
      'only tags with at least this score, as it is written: calibrated where the model is, else raw',
      addValue,
    )
    .option('--embedding', "write each image's embedding too");
}

/** The `tag` command; returns its exit code. */
export async function tag(named: readonly string[], flags: TagFlags): Promise<number> {
  const settings = settingsOf({ ...flags });
  const json = flags.json ?? false;
  const run = runOfFolder('tag', flags.out);
  const output = openStore(run.output);
  const vocabularies = await readVocabularies(flags);
  const sources = await readSources(named, flags);
  const spec = await tagSpecOf(sources.spec, flags, settings, vocabularies);
  refuseNested(spec.sources, run.output);

  const existing = await readRunRecord(output);
  if (existing) {
    refuseDifferent(output, existing, { kind: 'tag', spec });
    if (await output.head(SUCCESS)) return reportFinished(output, existing, json);
  } else {
    await refuseUnreadable(spec, json ? () => undefined : console.error);
  }
  // A worker elsewhere fetches the model itself; in this process it is fetched now, where its progress can be shown.
  if (flags.dryRun || !(await temporalConnection(process.env))) await prefetchModel(spec.model, json);
  if (flags.dryRun)
    return dryRunTag({
      spec,
      inputs: vocabularies,
      copies: sources.copies,
      output: run.output,
      settings,
      json,
    });
  if (!existing) {
    await copyKeyLists(output, sources.copies);
    await claimRun(output, vocabularies, {
      version: 1,
      kind: 'tag',
      id: run.id,
      createdAt: new Date().toISOString(),
      spec,
    });
  }
  return launch({ json, settings, run: () => Promise.resolve(run), fresh: !existing });
}

/** What the flags and settings of `tag` ask for. */
export async function tagSpecOf(
  sources: Sources['spec'],
  flags: TagFlags,
  settings: Settings,
  asked: readonly AskedVocabulary[],
): Promise<TagSpec> {
  const { shardSize, maxBytes, maxPixels, decodeTimeoutMs } = settings;
  return {
    ...sources,
    include: flags.include ?? [],
    exclude: flags.exclude ?? [],
    since: flags.since === undefined ? null : canonicalUri(flags.since),
    retry: null,
    vocabularies: asked.map(runVocabularyOf),
    ...(asked.some(({ graph }) => graph === undefined) && linkOf(flags, settings)),
    model: await modelUri(settings.model),
    embedding: flags.embedding ?? false,
    shardSize,
    maxBytes,
    maxPixels,
    decodeTimeoutMs,
  };
}

/** How categories are linked that the model's graph lacks, where a language model is to do it. */
function linkOf({ config }: TagFlags, { llmCache }: Settings): Pick<TagSpec, 'link'> {
  const settings = sectionOf('graph', { config });
  if (settings.provider !== 'llm') return {};
  return { link: { settings, cache: llmCache === undefined ? null : canonicalUri(llmCache) } };
}

/** A run that lists its own output would never be the same twice. */
export function refuseNested(sources: TagSpec['sources'], output: string): void {
  const source = sources.find(({ uri }) => liesWithin(output, uri));
  if (!source) return;
  throw new Failure('Usage.OutputInsideSource', `--out ${output} lies inside the source ${source.uri}.`, {
    subject: output,
    hint: 'Choose an --out outside of it, or name only the prefix of it that the images are in.',
  });
}

/**
 * Says now, and not in a worker's retries, that a source, a key list or the run to go on from is not there, or not fit.
 *
 * @param notice told of sources that are new since that run
 */
export async function refuseUnreadable(spec: TagSpec, notice: (text: string) => void): Promise<void> {
  if (spec.keys.length > 0) await checkKeyLists(spec);
  else
    for (const { uri, inventory } of spec.sources)
      if (!inventory) for await (const _ of openStore(uri, sourceAccess(spec)).list()) break;
  if (spec.since !== null) await checkSince(openStore(spec.since), spec, notice);
}

/**
 * An incremental run needs a finished run to compare with, and all of that one's sources: of one that it left out it
 * could not say what is gone. New sources may join them; how each is listed may differ.
 */
async function checkSince(
  since: ObjectStore,
  { sources, vocabularies }: TagSpec,
  notice: (text: string) => void,
): Promise<void> {
  const base = await readRunRecord(since);
  if (base?.kind !== 'tag' || !(await since.head(SUCCESS))) {
    throw new Failure('Usage.Since', `--since ${since.uri} is not the folder of a finished tag run.`, {
      subject: since.uri,
      hint: '`c2srt status` says where that run is.',
    });
  }
  const missing = sourcesBeside(sources, base.spec.sources);
  if (missing.length > 0)
    throw new Failure(
      'Usage.Since',
      `--since ${since.uri} is a run of ${missing.join(', ')} too, which is no source here.`,
      {
        subject: since.uri,
        hint: 'Name all sources of that run, and new ones beside them; or start another run without --since.',
      },
    );
  const added = sourcesBeside(base.spec.sources, sources);
  if (added.length > 0) notice(`New since that run, so all of it is tagged: ${added.join(', ')}`);
  if (specDifferences({ vocabularies: base.spec.vocabularies }, { vocabularies }).length > 0)
    notice(
      `That run was asked other categories, or for other tags of them: images that have not changed keep what they have there. Without --since all are tagged anew.`,
    );
}

export async function reportFinished(output: ObjectStore, { id }: RunRecord, json: boolean): Promise<number> {
  const { counts, parts, scores } = (await readJson(output, MANIFEST)) as Pick<TagCorpusResult, 'scores'> & {
    counts: TagCorpusResult;
    parts: unknown[];
  };
  const summary = tagSummary(
    { id, kind: 'tag', output: output.uri },
    { ...counts, parts: parts.length / 2, ...(scores && { scores }) },
    0,
  );
  if (json) console.log(JSON.stringify(summary));
  else
    console.log(
      `Run ${id} is finished already: ${summary.tagged} of ${summary.images} images tagged, ${summary.failed} failed. A finished set never changes; to tag what is new or changed since, run it with another --out and --since ${output.uri}.`,
    );
  return 0;
}
