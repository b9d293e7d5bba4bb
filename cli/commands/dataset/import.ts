import { dirname, join } from 'node:path';
import { Option, type Command } from 'commander';
import type { SplitLists } from '../../../data/dataset/layouts/chosenCategories.ts';
import { openCoco } from '../../../data/dataset/layouts/coco.ts';
import { importLayout, type ImportSummary } from '../../../data/dataset/layouts/importLayout.ts';
import type { Layout } from '../../../data/dataset/layouts/layout.ts';
import { NUS_WIDE_SUBSETS, openNusWide, type NusWideSubset } from '../../../data/dataset/layouts/nusWide.ts';
import { openOpenImages } from '../../../data/dataset/layouts/openImages.ts';
import { readNameList } from '../../../data/dataset/layouts/sourceFiles.ts';
import { refuseUnwritable } from '../../../data/dataset/writeManifest.ts';
import { Failure } from '../../../data/failure.ts';
import { openStore } from '../../../data/store/open.ts';
import { EXIT } from '../../exit.ts';

interface ImportFlags {
  images: string;
  out: string;
  categoriesOut?: string;
  seen?: string;
  unseen?: string;
  pin?: boolean;
  json?: boolean;
}

export function importCommand(dataset: Command, finish: (code: number) => void): void {
  const command = dataset
    .command('import')
    .description(
      "Read a public data set in its publishers' own files, and write a manifest and a categories file.",
    );
  const layout = (name: string, description: string): Command =>
    command
      .command(name)
      .description(description)
      .requiredOption(
        '--images <uri>',
        'folder or s3:// URI with the images; those without a file are left out',
      )
      .requiredOption('--out <file>', 'manifest to write: .jsonl, .ndjson or .parquet')
      .option('--categories-out <file>', 'categories file to write (default: categories.json beside --out)')
      .option('--seen <file>', 'names of the categories to train on, one per line; others are dropped')
      .option('--unseen <file>', 'names of the categories not to train on, one per line')
      .option(
        '--pin',
        'write the etag of every image, so that a training counts images that changed as failed',
      )
      .option('--json', 'print the counts as one JSON object');
  const run = async (flags: ImportFlags, open: (lists: SplitLists) => Promise<Layout>): Promise<void> => {
    refuseUnwritable(flags.out);
    const categories = flags.categoriesOut ?? join(dirname(flags.out), 'categories.json');
    const lists = {
      seen: flags.seen === undefined ? null : await readNameList(flags.seen),
      unseen: flags.unseen === undefined ? null : await readNameList(flags.unseen),
    };
    const summary = await importLayout(await open(lists), {
      images: openStore(flags.images),
      manifest: flags.out,
      categories,
      pin: flags.pin ?? false,
      report: (records) => console.error(`${records.toLocaleString('en')} labels read ...`),
    });
    if (flags.json)
      console.log(JSON.stringify({ ...summary, manifest: flags.out, categoriesFile: categories }));
    else for (const line of describeImport(summary, flags.out, categories)) console.log(line);
    finish(EXIT.ok);
  };

  layout('nus-wide', 'NUS-WIDE: a folder with ConceptsList, ImageList, Groundtruth and NUS_WID_Tags.')
    .argument('<folder>', 'folder or s3:// URI of the unpacked archives')
    .addOption(new Option('--subset <name>', 'which images').choices(NUS_WIDE_SUBSETS).default('all'))
    .option('--no-tags', 'the 81 concepts alone, all seen; else the tags are seen, the concepts unseen')
    .action((folder: string, flags: ImportFlags & { subset: NusWideSubset; tags: boolean }) =>
      run(flags, (lists) => openNusWide({ folder, subset: flags.subset, tags: flags.tags, lists })),
    );

  layout('open-images', 'Open Images: image-level labels (or boxes) as CSV; images are named ID.jpg.')
    .argument('<labels...>', 'files or s3:// URIs with the columns ImageID, Source, LabelName, Confidence')
    .requiredOption('--classes <file>', 'class-descriptions.csv or its like: ids and names of labels')
    .option('--present-above <confidence>', 'a label of at least this confidence is present', '1')
    .option('--absent-below <confidence>', 'a label of at most this confidence is absent', '0')
    .action(
      (
        labels: string[],
        flags: ImportFlags & { classes: string; presentAbove: string; absentBelow: string },
      ) =>
        run(flags, (lists) =>
          openOpenImages({
            labels,
            classes: flags.classes,
            presentFrom: confidence(flags.presentAbove, '--present-above'),
            absentUpTo: confidence(flags.absentBelow, '--absent-below'),
            lists,
          }),
        ),
    );

  layout('coco', 'COCO instances, and what is written like them.')
    .argument('<annotations>', 'JSON file or s3:// URI with images, annotations and categories')
    .action((annotations: string, flags: ImportFlags) =>
      run(flags, (lists) => openCoco({ annotations, lists })),
    );
}

function confidence(written: string, flag: string): number {
  const value = written.trim() === '' ? NaN : Number(written);
  if (value >= 0 && value <= 1) return value;
  throw new Failure('Usage.Flag', `${flag} ${written} is no number from 0 to 1.`, { subject: flag });
}

function describeImport(summary: ImportSummary, manifest: string, categories: string): string[] {
  const { dropped } = summary;
  const lines: [string, number, string][] = [
    ['images', summary.images, `in ${manifest}`],
    ['categories', summary.categories, `in ${categories}: ${summary.seen} seen, ${summary.unseen} unseen`],
    ['present', summary.present, 'labels'],
    ...count('absent', summary.absent, 'labels; what is not listed is unknown'),
    ...count('none', summary.imagesWithoutLabels, 'images without a label that is present'),
    ...count('no file', summary.withoutFile, `images left out, ${summary.withoutFileExample} for one`),
    ...count('other files', summary.unlistedFiles, 'that the data set says nothing of'),
    ...count('dropped', dropped.notListed, 'labels of categories that are not in the lists'),
    ...count('unknown', dropped.unknown, `labels of no known category, ${dropped.unknownExample} for one`),
  ];
  const numbers = lines.map(([, number]) => number.toLocaleString('en'));
  const width = Math.max(...numbers.map(({ length }) => length));
  return lines.map(([name, , what], i) => `${name.padEnd(12)}${numbers[i]!.padStart(width)}  ${what}`);
}

const count = (name: string, number: number, what: string): [string, number, string][] =>
  number === 0 ? [] : [[name, number, what]];
