import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { readRunRecord } from '../../data/run/record.ts';
import { classifyFileError } from '../../data/store/classifyFile.ts';
import { deviceOptions } from '../../workers/device.ts';
import { EXIT } from '../exit.ts';
import { settingsOf, withSettings } from '../options.ts';
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
      'do not explain scores, for which the model is run on the images that are shown',
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
    const output = await folderOfRun(subject, settings);
    const evaluation =
      flags.evaluation === undefined ? undefined : await folderOfRun(flags.evaluation, settings);
    const isTagRun = (await readRunRecord(output))?.kind === 'tag';
    const report = isTagRun
      ? await runReport(output, options)
      : await modelReport(output, evaluation, options);
    await writeReport(flags.out, report, maxBytes);
    finish(EXIT.ok);
  });
}

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
