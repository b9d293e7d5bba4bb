import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseCategories, vocabularyHash, type Category } from '../../data/categories.ts';
import { isSeen } from '../../data/categories.ts';
import type { RetrainSettings } from '../../data/config/retrainSchema.ts';
import type { Settings } from '../../data/config/schema.ts';
import { CONFIG_FILE } from '../../data/config/load.ts';
import { manifestUri, readManifest } from '../../data/dataset/manifest.ts';
import { Failure, messageOf } from '../../data/failure.ts';
import { graphHash, parseGraph } from '../../data/graphFile.ts';
import { aliasKey } from '../../data/models/modelPlaces.ts';
import type { PipelineInputs } from '../../data/retrain/pipeline.ts';
import type { RetrainSpec } from '../../data/retrain/retrainSpec.ts';
import { oneSource } from '../../data/run/record.ts';
import { canonicalUri, joinUri } from '../../data/store/open.ts';
import { refuseNested } from '../commands/tag.ts';
import { modelUri } from '../models.ts';
import { sectionOf } from '../options.ts';

/** A pipeline as the configuration file describes it, and the files that it names. */
export interface ConfiguredPipeline {
  spec: RetrainSpec;
  inputs: PipelineInputs;
}

/**
 * Reads a pipeline from the configuration file; paths in it are relative to the file. What can be wrong is said here, and
 * nothing is written. Throws `Config.Invalid`, `Usage.File`, and failures of the files that it names.
 */
export async function pipelineOf(
  flags: Readonly<Record<string, unknown>>,
  settings: Settings,
): Promise<ConfiguredPipeline> {
  const file = typeof flags['config'] === 'string' ? flags['config'] : CONFIG_FILE;
  const section = sectionOf('retrain', flags);
  const train = sectionOf('train', flags);
  const evaluate = sectionOf('evaluate', flags);
  const graphSettings = sectionOf('graph', flags);
  const gate = sectionOf('gate', flags);
  const required = (name: keyof RetrainSettings & ('store' | 'data' | 'categories')): string => {
    const value = section[name];
    if (value !== undefined) return value;
    throw new Failure('Config.Invalid', `retrain.${name} in ${file} is missing.`, {
      subject: file,
      hint: 'docs/retraining.md shows a whole file.',
    });
  };
  const here = (path: string): string => (/^[a-z0-9]+:/i.test(path) ? path : resolve(dirname(file), path));
  const manifestOf = (path: string | undefined): string | null =>
    path === undefined ? null : manifestUri(here(path));

  aliasKey(section.alias);
  const store = canonicalUri(here(required('store')));
  const [data, validation, test] = [
    manifestUri(here(required('data'))),
    manifestOf(section.validation),
    manifestOf(section.test),
  ];
  const categories = parseCategories(
    await readInput(here(required('categories')), 'retrain.categories'),
    required('categories'),
    (notice) => console.error(notice),
  );
  refuseUncomparable({ validation, test, train, evaluate, file });
  refuseNothingSeen(categories, required('categories'));
  refuseUnmeasured(gate, evaluate, file);
  for (const uri of [data, validation, test]) if (uri !== null) await refuseUnreadable(uri);

  const graph = await fileGraph(graphSettings, file, here);
  const tagCategories =
    section.tagSource === undefined
      ? undefined
      : section.tagCategories === undefined
        ? categories
        : parseCategories(
            await readInput(here(section.tagCategories), 'retrain.tagCategories'),
            section.tagCategories,
          );
  const tag = tagOf(section, settings, store, tagCategories, here);
  const model = settings.model;
  return {
    spec: {
      name: section.name,
      store,
      data,
      validation,
      test,
      vocabulary: vocabularyHash(categories),
      graph: graph?.hash ?? null,
      model: await modelUri(model === undefined ? undefined : model.startsWith('hub:') ? model : here(model)),
      startFrom: section.startFrom,
      alias: section.alias,
      approvalHours: section.approval ? section.approvalTimeoutHours : null,
      from: null,
      tag,
      settings: { train, graph: graphSettings, evaluate, gate },
    },
    inputs: { categories, graph: graph?.json, tagCategories },
  };
}

async function readInput(path: string, setting: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Failure('Usage.File', `${setting}: ${path} cannot be read: ${messageOf(error)}.`, {
      subject: path,
      cause: error,
    });
  }
}

/** A candidate is judged by images that it was not trained on, with labels read the same way. */
function refuseUncomparable({
  validation,
  test,
  train,
  evaluate,
  file,
}: {
  validation: string | null;
  test: string | null;
  train: RetrainSpec['settings']['train'];
  evaluate: RetrainSpec['settings']['evaluate'];
  file: string;
}): void {
  if (test === null && validation === null && train.validationShare === 0)
    throw new Failure(
      'Config.Invalid',
      `${file} leaves no images to judge a candidate by: train.validationShare is 0, and neither retrain.test nor retrain.validation is given.`,
      { subject: file, hint: 'Give retrain.test, a manifest of images that are not trained on.' },
    );
  if (train.unlisted !== evaluate.unlisted)
    throw new Failure(
      'Config.Invalid',
      `train.unlisted is ${train.unlisted} and evaluate.unlisted is ${evaluate.unlisted} in ${file}: the images held back serve both.`,
      { subject: file, hint: 'Set both to the same.' },
    );
}

/** A rule about figures that are not computed would fail after the training, not before. */
function refuseUnmeasured(
  { rules }: RetrainSpec['settings']['gate'],
  { topK, baselines }: RetrainSpec['settings']['evaluate'],
  file: string,
): void {
  const figures = ['mAP', ...topK.map((k) => `F1@${k}`)];
  for (const { metric, against } of rules) {
    if (!figures.includes(metric))
      throw new Failure(
        'Config.Invalid',
        `gate.rules in ${file} asks for ${metric}, which is not evaluated.`,
        {
          subject: file,
          hint: `evaluate.topK is ${topK.join(', ')}: add the rule's K to it, or change the rule.`,
        },
      );
    if (!baselines && typeof against === 'string' && against !== 'production')
      throw new Failure(
        'Config.Invalid',
        `gate.rules in ${file} compares ${metric} with ${against}, which evaluate.baselines: false leaves out.`,
        { subject: file, hint: 'Set evaluate.baselines to true, or change the rule.' },
      );
  }
}

function refuseNothingSeen(categories: readonly Category[], file: string): void {
  if (categories.some(isSeen)) return;
  throw new Failure('Categories.NoSeen', `${file} has no seen category: there is nothing to train on.`, {
    subject: file,
    hint: 'Set "split" to "seen" for the categories that have labels.',
  });
}

/** Says now, and not in a worker's retries, that a manifest is not there or is none. */
async function refuseUnreadable(uri: string): Promise<void> {
  for await (const _ of readManifest(uri, { kind: 'labels' })) return;
}

async function fileGraph(
  { provider, file: path }: RetrainSpec['settings']['graph'],
  config: string,
  here: (path: string) => string,
): Promise<{ hash: string; json: string } | undefined> {
  if (provider !== 'file') return undefined;
  if (path === undefined)
    throw new Failure('Config.Invalid', `graph.provider is file, but graph.file in ${config} is missing.`, {
      subject: config,
    });
  const graph = parseGraph(await readInput(here(path), 'graph.file'), path);
  return { hash: graphHash(graph), json: JSON.stringify(graph) };
}

function tagOf(
  section: RetrainSettings,
  { shardSize, maxBytes, maxPixels, decodeTimeoutMs }: Settings,
  store: string,
  categories: readonly Category[] | undefined,
  here: (path: string) => string,
): RetrainSpec['tag'] {
  if (section.tagSource === undefined || categories === undefined) return null;
  const source = canonicalUri(here(section.tagSource));
  const out = section.tagOut === undefined ? joinUri(store, 'tags') : canonicalUri(here(section.tagOut));
  refuseNested(oneSource(source).sources, out);
  return {
    source,
    vocabulary: vocabularyHash([...categories]),
    out,
    shardSize,
    maxBytes,
    maxPixels,
    decodeTimeoutMs,
  };
}
