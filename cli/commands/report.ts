import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Settings } from '../../data/config/schema.ts';
import { Failure } from '../../data/failure.ts';
import { pinModel } from '../../data/models/pinModel.ts';
import { readRunRecord } from '../../data/run/record.ts';
import { classifyFileError } from '../../data/store/file/classifyFile.ts';
import { canonicalUri, openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { deviceOptions } from '../../workers/device.ts';
import { EXIT } from '../exit.ts';
import { settingsOf, withSettings } from '../options.ts';
import { compareModels } from '../report/comparison/compareModels.ts';
import { compareRuns } from '../report/comparison/compareRuns.ts';
import { GRAPH_PAGE, reportPage } from '../report/reportPage.ts';
import { modelReport } from '../report/model/modelReport.ts';
import { runReport } from '../report/run/runReport.ts';
import type { Report, ReportOptions } from '../report/report.ts';
import { folderOfRun } from '../run/runReference.ts';
import { sizeText } from '../sizeText.ts';
import { wholeNumber } from '../wholeNumber.ts';

interface ReportFlags {
  out: string;
  against?: string;
  evaluation?: string;
  againstEvaluation?: string;
  images: string;
  maxRows: string;
  scoredImages: string;
  maxMb: string;
  evidence: boolean;
}

const INDEX = 'index.html';

export function reportCommand(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('report')
    .description('Write a page about a tag run or a model, or about what changed between two of them.')
    .argument('<subject>', 'a run (its folder or id) or a model folder')
    .requiredOption('--out <dir>', 'the folder to write index.html to')
    .option('--against <subject>', 'another of the same kind: the page says what changed from it')
    .option('--evaluation <run>', 'the evaluation of a model that is given by its own folder or its training')
    .option('--against-evaluation <run>', 'the same of the model that it is compared with')
    .option('--images <n>', 'the most images that are shown', '120')
    .option('--max-rows <n>', 'about how many rows are read; of a larger run, some shards', '500000')
    .option('--scored-images <n>', 'the most test images that a model scores again', '2000')
    .option(
      '--max-mb <n>',
      'the most megabytes of the page: fewer images are shown where it would have more',
      '20',
    )
    .option(
      '--no-evidence',
      'do not run the model: no evidence, and of a model nothing that needs scores of single images',
    );
  withSettings(command, ['stateDir', 'provider', 'deviceId', 'threads']);
  command.action(async (subject: string, flags: ReportFlags) => {
    const settings = settingsOf({ ...flags });
    const options: ReportOptions = {
      images: wholeNumber('--images', flags.images, 0),
      maxRows: wholeNumber('--max-rows', flags.maxRows),
      scoredImages: wholeNumber('--scored-images', flags.scoredImages),
      evidence: flags.evidence,
      device: deviceOptions(settings),
      notify: progressLines(),
    };
    const maxBytes = wholeNumber('--max-mb', flags.maxMb) * 1e6;
    const folderOf = async (named: string | undefined): Promise<ObjectStore | undefined> =>
      named === undefined ? undefined : subjectFolder(named, settings);
    const subjects = [await subjectFolder(subject, settings), await folderOf(flags.against)] as const;
    const evaluations = [await folderOf(flags.evaluation), await folderOf(flags.againstEvaluation)] as const;
    const report = await reportOf(subjects, evaluations, options);
    await writeReport(flags.out, report, maxBytes);
    finish(EXIT.ok);
  });
}

/** A run's folder, by it or by its id, or a model's, by it or by an alias. */
async function subjectFolder(named: string, settings: Settings): Promise<ObjectStore> {
  const isFolder = /[/\\.]/.test(named) || existsSync(named);
  return isFolder ? openStore(await pinModel(canonicalUri(named), openStore)) : folderOfRun(named, settings);
}

type Pair = readonly [ObjectStore, ObjectStore | undefined];

/** @param evaluations of the subject and of the other, where they do not lead to theirs */
async function reportOf(
  [subject, against]: Pair,
  [evaluation, other]: readonly [ObjectStore | undefined, ObjectStore | undefined],
  options: ReportOptions,
): Promise<Report> {
  const isTagRun = await isOfTagging(subject);
  if (against === undefined)
    return isTagRun ? runReport(subject, options) : modelReport(subject, evaluation, options);
  if ((await isOfTagging(against)) !== isTagRun)
    throw new Failure('Usage.Flag', `--against ${against.uri} is not of the same kind as ${subject.uri}.`, {
      subject: against.uri,
      hint: 'Compare two tag runs, or two models.',
    });
  return isTagRun
    ? compareRuns(subject, against, options)
    : compareModels([subject, against], [evaluation, other], options);
}

const isOfTagging = async (folder: ObjectStore): Promise<boolean> =>
  (await readRunRecord(folder))?.kind === 'tag';

async function writeReport(dir: string, report: Report, maxBytes: number): Promise<void> {
  const page = await reportPage(report, maxBytes);
  const file = join(dir, INDEX);
  try {
    await mkdir(dir, { recursive: true });
    await writeFile(file, page);
    if (report.graph !== undefined) await writeFile(join(dir, GRAPH_PAGE), report.graph);
  } catch (error) {
    throw classifyFileError(error, file);
  }
  console.log(`${file}: ${sizeText(Buffer.byteLength(page))}`);
}

/** A line when something else is done, and of the same now and then. */
function progressLines(): (line: string) => void {
  let shownMs = 0;
  return (line) => {
    if (Date.now() - shownMs < 1000) return;
    shownMs = Date.now();
    process.stderr.write(`${line}\n`);
  };
}
