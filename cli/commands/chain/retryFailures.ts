import type { Command } from 'commander';
import { parseCategories } from '../../../data/categories.ts';
import type { Settings } from '../../../data/config/schema.ts';
import { Failure } from '../../../data/failure.ts';
import { graphHash, parseGraph } from '../../../data/graphFile.ts';
import { readChain, type ChainRun } from '../../../data/chain/chain.ts';
import { addCounts, noCounts, type Counts } from '../../../data/run/counts.ts';
import { FAILURE_CODES, TRANSIENT_CODES } from '../../../data/run/failureCodes.ts';
import { MANIFEST, SUCCESS, vocabularyInputs } from '../../../data/run/layout.ts';
import { readJson } from '../../../data/store/json.ts';
import { readRunRecord, type TagSpec } from '../../../data/run/record.ts';
import type { RunVocabulary } from '../../../data/run/vocabularies.ts';
import { openStore } from '../../../data/store/open.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { temporalConnection } from '../../../infra/temporalConnection.ts';
import { EXIT } from '../../exit.ts';
import { prefetchModel } from '../../models.ts';
import { CONTROL_SETTINGS, settingsOf, WORKER_SETTINGS, withSettings } from '../../options.ts';
import { claimRun, refuseDifferent } from '../../../data/run/claim.ts';
import { launch } from '../../run/launch.ts';
import { folderOfRun, runOfFolder } from '../../run/runReference.ts';
import { runVocabularyOf, type AskedVocabulary } from '../../vocabularies.ts';
import { refuseNested, reportFinished } from '../tag.ts';

interface RetryFlags {
  out: string;
  codes?: string;
  json?: boolean;
}

export function retryFailuresCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('retry-failures')
    .description('Tag the failed images of a finished run again, as a new run with the same inputs.')
    .argument(
      '<run>',
      "the finished run's folder or id; of an incremental run or a retry: all failures of its chain",
    )
    .requiredOption('--out <uri>', "the new run's folder")
    .option(
      '--codes <codes>',
      `failure codes, separated by commas, or \`all\` (default: the transient ones: ${TRANSIENT_CODES.join(', ')})`,
    )
    .option('--json', 'print one JSON object at the end, nothing else');
  withSettings(command, [...CONTROL_SETTINGS, ...WORKER_SETTINGS, 'stateDir']);
  command.action(async (run: string, flags: RetryFlags) => finish(await retryFailures(run, flags)));
}

/** The `retry-failures` command; returns its exit code. */
async function retryFailures(runName: string, flags: RetryFlags): Promise<number> {
  const json = flags.json ?? false;
  const settings = settingsOfRetry(flags);
  const parent = await folderOfRun(runName, settings);
  const chain = await readChain(parent, openStore);
  const { link, ...of } = chain.at(-1)!.record.spec;
  const vocabularies = await Promise.all(
    of.vocabularies.map((vocabulary) => askedBefore(parent, vocabulary, link !== undefined)),
  );
  const codes = codesFlag(flags.codes);
  // What there is to try again the chain says: lists and inventories are not read once more.
  const sources = of.sources.map(({ uri }) => ({ uri, inventory: null }));
  const retry = { parent: parent.uri, codes };
  const asked = { sources, keys: [], vocabularies: vocabularies.map(runVocabularyOf) };
  const spec: TagSpec = { ...of, ...asked, since: null, retry };
  const run = runOfFolder('tag', flags.out);
  const output = openStore(run.output);
  refuseNested(sources, run.output);

  const existing = await readRunRecord(output);
  if (existing) {
    refuseDifferent(output, existing, { kind: 'tag', spec });
    if (await output.head(SUCCESS)) return reportFinished(output, existing, json);
  } else if (!(await mayHaveFailures(chain, codes))) {
    const none = `Nothing to retry: ${parent.uri} has no failures${codes === null ? '' : ` with ${codes.join(', ')}`}.`;
    console.log(json ? JSON.stringify({ run: null, images: 0 }) : none);
    return EXIT.ok;
  }
  if (!(await temporalConnection(process.env))) await prefetchModel(spec.model, json);
  if (!existing) {
    const createdAt = new Date().toISOString();
    await claimRun(output, vocabularies, {
      version: 1,
      kind: 'tag',
      id: run.id,
      createdAt,
      spec,
    });
  }
  return launch({ json, settings, run: () => Promise.resolve(run), fresh: !existing });
}

/** Images that failed once are likely to fail again: only who names a budget has one. */
function settingsOfRetry(flags: RetryFlags): Settings {
  const given = { ...flags } as Record<string, unknown>;
  const settings = settingsOf(given);
  return given['maxFailureRate'] === undefined ? { ...settings, maxFailureRate: 1 } : settings;
}

/** Codes in order, so that the same ones make the same run; null: all. */
function codesFlag(text: string | undefined): string[] | null {
  if (text === undefined) return [...TRANSIENT_CODES].sort();
  if (text === 'all') return null;
  const codes = text.split(',').map((code) => code.trim());
  const unknown = codes.find((code) => !Object.hasOwn(FAILURE_CODES, code));
  if (unknown === undefined) return [...new Set(codes)].sort();
  throw new Failure('Usage.Flag', `--codes names ${JSON.stringify(unknown)}, which is no failure code.`, {
    hint: `The codes are ${Object.keys(FAILURE_CODES).join(', ')}; or \`all\`.`,
  });
}

/** Whether some run of the chain has failures of these codes, by what the manifests count. */
async function mayHaveFailures(
  chain: readonly ChainRun[],
  codes: readonly string[] | null,
): Promise<boolean> {
  const manifests = await Promise.all(
    chain.map(async ({ output }) => (await readJson(output, MANIFEST)) as { counts: Counts }),
  );
  const { failuresByCode } = manifests.map(({ counts }) => counts).reduce(addCounts, noCounts());
  return Object.keys(failuresByCode).some((code) => codes === null || codes.includes(code));
}

/** A vocabulary of the parent, as its folder keeps it; with the graph that a language model has completed for it. */
async function askedBefore(
  parent: ObjectStore,
  { name, graph, topK, threshold }: RunVocabulary,
  isLinked: boolean,
): Promise<AskedVocabulary> {
  const keys = vocabularyInputs(name);
  const categories = parseCategories((await parent.get(keys.categories)).body, keys.categories);
  const asked = { name, categories, graph: undefined, topK, threshold };
  const key = graph !== null ? keys.graph : isLinked ? keys.linkedGraph : undefined;
  // For an untrained head nothing is linked, whatever the run asks for.
  if (key === undefined || !(await parent.head(key))) return asked;
  const { body } = await parent.get(key);
  const hash = graphHash(parseGraph(body, key));
  return { ...asked, graph: { hash, json: Buffer.from(body).toString() } };
}
