import { isDeepStrictEqual } from 'node:util';
import { Option, type Command } from 'commander';
import { Failure } from '../../../data/failure.ts';
import { codecOptions, COMPRESSIONS } from '../../../data/parquet/partFormat.ts';
import { LAYOUTS } from '../../../data/parquet/verifyFormat.ts';
import { readChain, type ChainRun } from '../../../data/chain/chain.ts';
import { compactParts, type WrittenPart } from '../../../data/chain/compact.ts';
import {
  claimCompactFolder,
  EMBEDDINGS,
  type CompactFormat,
  type CompactRecord,
} from '../../../data/chain/compactRecord.ts';
import { specDifferences } from '../../../data/run/differences.ts';
import { COMPACT_RECORD, MANIFEST, PART_KINDS, SUCCESS } from '../../../data/run/layout.ts';
import { modelOfRun } from '../../../data/run/runModel.ts';
import { partitioning } from '../../../data/chain/partition.ts';
import { readJson } from '../../../data/store/json.ts';
import { readRunRecord, runIdOf } from '../../../data/run/record.ts';
import { probeConditionalPuts } from '../../../data/store/probe.ts';
import { openStore } from '../../../data/store/open.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { EXIT } from '../../exit.ts';
import { settingsOf, withSettings } from '../../options.ts';
import { folderOfRun } from '../../run/runReference.ts';
import { wholeNumber } from '../../wholeNumber.ts';
import { refuseNested } from '../tag.ts';

interface CompactFlags {
  out: string;
  layout: CompactFormat['layout'];
  partitionBy?: string;
  partRows: string;
  rowGroupRows?: string;
  compression: CompactFormat['compression'];
  embedding: CompactFormat['embedding'];
  json?: boolean;
}

/** What `compact --json` prints. */
interface CompactSummary {
  output: string;
  runs: string[];
  tagged: number;
  failed: number;
  parts: number;
}

export function compactCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('compact')
    .description('Write what a run and the runs before it have come to as one data set: what `view` says.')
    .argument('<run>', 'the last run of a chain: its folder or id')
    .requiredOption('--out <uri>', "the data set's folder")
    .addOption(
      new Option('--layout <layout>', 'a row per image with a list of tags, or (long) a row per tag')
        .choices(LAYOUTS)
        .default('rows'),
    )
    .option(
      '--partition-by <how>',
      'folders of tags: prefix:N for the first N folders of the key, or a regular expression over it, whose named groups become columns',
    )
    .option('--part-rows <n>', 'images per Parquet file at most', '100000')
    .option('--row-group-rows <n>', 'rows per row group at most (default: some 100,000, by their tags)')
    .addOption(new Option('--compression <codec>', 'of columns').choices(COMPRESSIONS).default('snappy'))
    .addOption(
      new Option('--embedding <type>', 'of embeddings, where every run has them')
        .choices(EMBEDDINGS)
        .default('fp32'),
    )
    .option('--json', 'print one JSON object at the end, nothing else');
  withSettings(command, ['stateDir']);
  command.action(async (run: string, flags: CompactFlags) => {
    const input = await folderOfRun(run, settingsOf({ ...flags }));
    const summary = await compact(input, openStore(flags.out), formatOf(flags), (line) => {
      if (!flags.json) console.error(line);
    });
    console.log(
      flags.json
        ? JSON.stringify(summary)
        : `${summary.tagged} images with tags and ${summary.failed} failures of ${summary.runs.length} runs, in ${summary.output}/tags and /failures.`,
    );
    finish(EXIT.ok);
  });
}

function formatOf(flags: CompactFlags): CompactFormat {
  const { layout, partitionBy, partRows, rowGroupRows, compression, embedding } = flags;
  // Said now, and not after the first part.
  if (partitionBy !== undefined) partitioning(partitionBy);
  codecOptions(compression);
  return {
    layout,
    partitionBy: partitionBy ?? null,
    partRows: wholeNumber('--part-rows', partRows),
    rowGroupRows: rowGroupRows === undefined ? null : wholeNumber('--row-group-rows', rowGroupRows),
    compression,
    embedding,
  };
}

/** Makes the data set, unless it is there. It is whole once it has its `_SUCCESS`. */
async function compact(
  input: ObjectStore,
  output: ObjectStore,
  format: CompactFormat,
  progress: (line: string) => void,
): Promise<CompactSummary> {
  const chain = await readChain(input, openStore);
  const { sources, unsigned, requesterPays } = chain.at(-1)!.record.spec;
  refuseNested(sources, output.uri);
  const runs = chain.map(({ record, output: { uri } }) => ({ id: record.id, output: uri }));
  const record: CompactRecord = {
    version: 1,
    sources: sources.map(({ uri }) => uri),
    unsigned,
    requesterPays,
    runs,
    format,
  };
  await claim(output, record);
  if (!(await output.head(SUCCESS))) {
    const parts = await compactParts(chain, output, {
      format,
      metadata: await metadataOf(chain, output),
      report: ({ key, rows }) => progress(`${key}: ${rows} rows`),
    });
    await removeOtherParts(output, parts);
    await output.put(MANIFEST, JSON.stringify({ ...record, counts: countsOf(parts), parts }, null, 1), {
      contentType: 'application/json',
    });
    await output.put(SUCCESS, '');
  }
  const { counts, parts } = (await readJson(output, MANIFEST)) as {
    counts: ReturnType<typeof countsOf>;
    parts: WrittenPart[];
  };
  return { output: output.uri, runs: runs.map(({ id }) => id), ...counts, parts: parts.length };
}

/** Throws `Run.Different` where the folder is of something else. */
async function claim(output: ObjectStore, record: CompactRecord): Promise<void> {
  const run = await readRunRecord(output);
  if (run)
    throw new Failure('Run.Different', `${output.uri} holds run ${run.id}, not a compacted data set.`, {
      subject: output.uri,
      hint: 'Choose another --out.',
    });
  await probeConditionalPuts(output);
  const existing = await claimCompactFolder(output, record);
  if (isDeepStrictEqual(existing, record)) return;
  const differences = specDifferences(existing, record).map((line) => `  ${line}`);
  throw new Failure(
    'Run.Different',
    `${output.describeKey(COMPACT_RECORD)} is of a data set that was started with other inputs:\n${differences.join('\n')}`,
    { subject: output.uri, hint: 'Choose another --out.' },
  );
}

/** Where the runs of a chain differ in model, vocabulary or scores, both are named. */
async function metadataOf(chain: readonly ChainRun[], { uri }: ObjectStore) {
  const distinct = (values: readonly string[]): string => [...new Set(values)].join(',');
  const models = await Promise.all(chain.map(({ output }) => modelOfRun(output)));
  return {
    run: runIdOf('tag', uri),
    model: distinct(models.map(({ hash }) => hash)),
    vocabulary: distinct(
      chain.flatMap(({ record }) => record.spec.vocabularies.map(({ categories }) => categories)),
    ),
    scores: distinct(models.map(({ scores = 'unknown' }) => scores)),
  };
}

const rowsOf = (parts: readonly WrittenPart[], kind: string): number =>
  parts.filter(({ key }) => key.startsWith(`${kind}/`)).reduce((sum, { rows }) => sum + rows, 0);

const countsOf = (parts: readonly WrittenPart[]): { tagged: number; failed: number } => ({
  tagged: rowsOf(parts, 'tags'),
  failed: rowsOf(parts, 'failures'),
});

/** Parts that an earlier try, of another release, may have left. */
async function removeOtherParts(output: ObjectStore, parts: readonly WrittenPart[]): Promise<void> {
  const written = new Set(parts.map(({ key }) => key));
  for (const kind of PART_KINDS) {
    const others: string[] = [];
    for await (const { key } of output.list({ prefix: `${kind}/` })) if (!written.has(key)) others.push(key);
    if (others.length > 0) await output.delete(others);
  }
}
