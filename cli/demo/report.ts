import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readTagRows } from '../../data/parquet/read.ts';
import type { TagRow } from '../../data/parquet/tagRows.ts';
import { tableLines } from '../table.ts';
import { agreementOf, largestDifference, TOLERANCE } from './agreement.ts';
import {
  readDemoCategories,
  readDemoLabels,
  readExpectedAgreement,
  type Agreement,
  type Figures,
} from './assets.ts';

const SHOWN_ROWS = 6;
const SHOWN_TAGS = 5;

/**
 * Prints what is in the folder of the demo's run, as anyone can read it from the Parquet files: a few rows, and how
 * well all of them agree with the truth. Returns whether that is as well as expected.
 */
export async function reportRun(folder: string): Promise<boolean> {
  const rows = await readParts(join(folder, 'tags'));
  const labels = readDemoLabels();
  console.log(`\nThe best ${SHOWN_TAGS} tags of some scenes (* is in the scene):\n`);
  printTable(
    ['key', 'size', ...Array.from({ length: SHOWN_TAGS }, (_, i) => `tag ${i + 1}`)],
    rows
      .filter((_, i) => i % Math.ceil(rows.length / SHOWN_ROWS) === 0)
      .map(({ key, width, height, tags }) => [
        key,
        `${width}x${height}`,
        ...tags
          .slice(0, SHOWN_TAGS)
          .map(({ label, score }) => `${label}${labels.get(key)!.has(label) ? '*' : ''} ${score.toFixed(3)}`),
      ]),
  );

  const categories = readDemoCategories();
  const measured = agreementOf(rows, labels, categories);
  const expected = readExpectedAgreement();
  const unseen = categories.filter(({ split }) => split === 'unseen').length;
  console.log(`\nAgreement of all ${rows.length} rows with the true labels, in percent:\n`);
  printAgreement(measured, expected, { ZSL: unseen, GZSL: categories.length });
  const difference = largestDifference(measured, expected);
  const agrees = difference <= TOLERANCE;
  console.log(
    `\nexpected: training-free CLIP + ISR in PyTorch, on the same scenes. The largest difference is ${difference.toFixed(2)} points: ${agrees ? 'they agree' : `more than the ${TOLERANCE} allowed`}.`,
  );
  return agrees;
}

/** The rows of all parts in a folder. */
export async function readParts(folder: string): Promise<TagRow[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.parquet')).sort();
  const parts = await Promise.all(
    names.map(async (name) => readTagRows(await readFile(join(folder, name)), join(folder, name))),
  );
  return parts.flat();
}

function printAgreement(
  measured: Agreement,
  expected: Agreement,
  categories: Record<keyof Agreement, number>,
): void {
  const names = ['mAP', 'F1@3', 'F1@5'] as const;
  const cells = (figures: Figures) => names.map((name) => figures[name].toFixed(2));
  const protocols: [keyof Agreement, string][] = [
    ['ZSL', `ZSL, the ${categories.ZSL} unseen categories`],
    ['GZSL', `GZSL, all ${categories.GZSL} categories`],
  ];
  printTable(
    ['', ...names.flatMap((name) => [name, 'expected'])],
    protocols.map(([protocol, title]) => {
      const wanted = cells(expected[protocol]);
      return [title, ...cells(measured[protocol]).flatMap((figure, i) => [figure, wanted[i]!])];
    }),
  );
}

/** Prints columns padded to the widest of their cells. */
export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  for (const line of tableLines(header, rows)) console.log(line);
}
