import { createHash } from 'node:crypto';
import { z } from 'zod';
import { readCsvTable } from './csvTable.ts';
import { Failure, messageOf } from './failure.ts';
import { decodeUtf8 } from './utf8Decode.ts';

/** One category that is asked for. All text is NFC and trimmed. */
export interface Category {
  /** Unique in its vocabulary, compared exactly (case matters). */
  name: string;
  /** Other words for the same category. */
  aliases: readonly string[];
  /** Templates used in place of the model's own; `{}` stands for the name. */
  prompts: readonly string[];
  /** The lowest written score that makes a tag, in [0, 1], inclusive. */
  threshold?: number;
  /** Whether its labels are trained on. Default: seen. */
  split?: Split;
}

export const SPLITS = ['seen', 'unseen'] as const;
export type Split = (typeof SPLITS)[number];

/** Whether training learns from the category's labels. */
export const isSeen = ({ split }: Category): boolean => split !== 'unseen';

/** A category as the file gives it, and where. */
interface Entry {
  place: string;
  name: string;
  aliases: readonly string[];
  prompts: readonly string[];
  threshold?: number | undefined;
  split?: Split | undefined;
}

const FIELDS = ['name', 'aliases', 'prompts', 'threshold', 'split'];

/** Between several aliases or prompts in one CSV cell. */
const CSV_LIST_SEPARATOR = '|';

const JsonEntry = z.union([
  z.string(),
  z.looseObject({
    name: z.string(),
    aliases: z.array(z.string()).optional(),
    prompts: z.array(z.string()).optional(),
    threshold: z.number().optional(),
    split: z.enum(SPLITS).optional(),
  }),
]);

/**
 * Reads a categories file (UTF-8, a byte order mark and any line ends allowed). The file name's ending decides:
 *
 * - `.json`: an array of names, or of objects `{ name, aliases?, prompts?, threshold?, split? }`;
 * - `.csv`: a header `name[,aliases][,prompts][,threshold][,split]`; several aliases or prompts are separated by `|`;
 * - anything else: a name per line. Blank lines and lines that start with `#` are skipped (a name that starts with `#`
 *   needs JSON or CSV).
 *
 * Names, aliases and prompts are brought to NFC and trimmed; an alias that repeats is dropped.
 *
 * @param source the file's bytes, or its text.
 * @param fileName for its ending and for messages.
 * @param report told once about columns or fields that are not ours, which are ignored.
 * @returns in the file's order, at least one.
 * @throws Failure `Categories.Duplicate` naming both places; `Categories.Empty` for a file or a name without content;
 *   `Categories.Encoding` for invalid UTF-8, naming the line; `Categories.Invalid` for everything else.
 */
export function parseCategories(
  source: string | Uint8Array,
  fileName: string,
  report: (notice: string) => void = () => undefined,
): Category[] {
  const text = decode(source, fileName);
  const entries = /\.json$/i.test(fileName)
    ? readJson(text, fileName, report)
    : /\.csv$/i.test(fileName)
      ? readCsv(text, fileName, report)
      : readLines(text);
  if (entries.length === 0)
    throw new Failure('Categories.Empty', `${fileName} holds no category.`, {
      subject: fileName,
      hint: 'Write one category per line, or a JSON or CSV file as the documentation shows.',
    });

  const places = new Map<string, string>();
  return entries.map((entry) => {
    const category = toCategory(entry, fileName);
    const before = places.get(category.name);
    if (before !== undefined)
      throw new Failure(
        'Categories.Duplicate',
        `${fileName} names "${category.name}" twice: ${before} and ${entry.place}.`,
        { subject: fileName, hint: 'Remove one of them.' },
      );
    places.set(category.name, entry.place);
    return category;
  });
}

/**
 * SHA-256, in hex, of everything about the categories that determines scores and tags, their order included; not of the
 * file they came from. Seen is what a category is anyway, so only `unseen` counts.
 */
export function vocabularyHash(categories: readonly Category[]): string {
  const canonical = categories.map((category) => {
    const { name, aliases, prompts, threshold } = category;
    return [name, aliases, prompts, threshold ?? null, ...(isSeen(category) ? [] : ['unseen'])];
  });
  return createHash('sha256').update(JSON.stringify(canonical)).digest('hex');
}

function decode(source: string | Uint8Array, fileName: string): string {
  if (typeof source === 'string') return source.replace(/^\ufeff/, '');
  const decoded = decodeUtf8(source);
  if (decoded.badLine !== undefined)
    throw new Failure('Categories.Encoding', `${fileName}, line ${decoded.badLine}: not valid UTF-8.`, {
      subject: fileName,
      hint: 'Save the file as UTF-8.',
    });
  return decoded.text;
}

function readLines(text: string): Entry[] {
  return text
    .split(/\r\n|\n|\r/)
    .map((name, i) => ({ place: `line ${i + 1}`, name, aliases: [], prompts: [] }))
    .filter(({ name }) => name.trim() !== '' && !name.trimStart().startsWith('#'));
}

function readJson(text: string, fileName: string, report: (notice: string) => void): Entry[] {
  if (text.trim() === '') return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(fileName, `not valid JSON: ${messageOf(error)}`, error);
  }
  if (!Array.isArray(value)) throw invalid(fileName, 'not a JSON array of names or of objects with a name');
  const unknown = new Set<string>();
  const entries = value.map((item: unknown, i) => {
    const place = `entry ${i + 1}`;
    const { success, data, error } = JsonEntry.safeParse(item);
    if (!success) {
      const object = typeof item === 'object' && item !== null && !Array.isArray(item);
      // of the union's two branches, the one that was meant
      const issue = error.issues[0];
      const inner = issue?.code === 'invalid_union' ? issue.errors[object ? 1 : 0]?.[0] : issue;
      const field = inner?.path.join('.') ?? '';
      throw invalid(
        fileName,
        object
          ? `${place}: ${field}: ${inner?.message ?? 'invalid'}`
          : `${place} is neither a name nor an object with a name`,
      );
    }
    if (typeof data === 'string') return { place, name: data, aliases: [], prompts: [] };
    for (const field of Object.keys(data)) if (!FIELDS.includes(field)) unknown.add(field);
    const { name, aliases = [], prompts = [], threshold, split } = data;
    return { place, name, aliases, prompts, threshold, split };
  });
  reportUnknown(unknown, 'field', fileName, report);
  return entries;
}

function readCsv(text: string, fileName: string, report: (notice: string) => void): Entry[] {
  if (text.trim() === '') return [];
  const table = readCsvTable(text, ['name'], (reason, cause) => invalid(fileName, reason, cause));
  reportUnknown(new Set(table.header.filter((name) => !FIELDS.includes(name))), 'column', fileName, report);
  return table.rows.map(({ line, cells }) => {
    const place = `line ${line}`;
    const written = (cells.get('threshold') ?? '').trim();
    const threshold = written === '' ? undefined : Number(written);
    if (Number.isNaN(threshold))
      throw invalid(fileName, `${place}: the threshold "${written}" is not a number`);
    const split = (cells.get('split') ?? '').trim();
    if (split !== '' && !isSplit(split))
      throw invalid(fileName, `${place}: the split "${split}" is neither seen nor unseen`);
    return {
      place,
      name: cells.get('name') ?? '',
      aliases: cellList(cells.get('aliases')),
      prompts: cellList(cells.get('prompts')),
      threshold,
      split: split === '' ? undefined : split,
    };
  });
}

const isSplit = (text: string): text is Split => (SPLITS as readonly string[]).includes(text);

function cellList(cell = ''): string[] {
  return cell.split(CSV_LIST_SEPARATOR).filter((item) => item.trim() !== '');
}

function reportUnknown(
  unknown: ReadonlySet<string>,
  kind: string,
  fileName: string,
  report: (notice: string) => void,
): void {
  if (unknown.size === 0) return;
  const names = [...unknown].map((name) => `"${name}"`).join(', ');
  report(
    `${fileName}: ignoring the ${kind}${unknown.size > 1 ? 's' : ''} ${names}; known: ${FIELDS.join(', ')}.`,
  );
}

function toCategory(entry: Entry, fileName: string): Category {
  const { place, threshold, split } = entry;
  const clean = (text: string, what: string): string => {
    const cleaned = text.normalize('NFC').trim();
    if (cleaned === '')
      throw new Failure('Categories.Empty', `${fileName}, ${place}: ${what} is empty.`, {
        subject: fileName,
      });
    if (/[\p{Cc}\p{Surrogate}]/u.test(cleaned))
      throw invalid(fileName, `${place}: ${what} ${JSON.stringify(cleaned)} holds a control character`);
    return cleaned;
  };
  if (threshold !== undefined && !(threshold >= 0 && threshold <= 1))
    throw invalid(fileName, `${place}: the threshold ${threshold} is not between 0 and 1`);
  const name = clean(entry.name, 'the name');
  const aliases = new Set(entry.aliases.map((alias) => clean(alias, 'an alias')));
  aliases.delete(name);
  return {
    name,
    aliases: [...aliases],
    prompts: entry.prompts.map((prompt) => clean(prompt, 'a prompt')),
    ...(threshold !== undefined && { threshold }),
    ...(split !== undefined && { split }),
  };
}

function invalid(fileName: string, reason: string, cause?: unknown): Failure {
  return new Failure('Categories.Invalid', `${fileName}: ${reason}.`, { subject: fileName, cause });
}
