import { showValue } from '../records.ts';

/** What a row of a manifest is for: images with labels to train on, or with captions to pre-train on. */
export type ManifestKind = 'labels' | 'captions';

/** An image of a manifest. All text is NFC and trimmed. */
export interface ManifestRow {
  /** `line 7` or `row 12`, from 1. */
  place: string;
  /** Canonical URI of the image: `file:///...` or `s3://bucket/key`. */
  uri: string;
  /** Without quotes: the image must still have it when it is read. null where the row does not say. */
  etag: string | null;
  /** Names of the categories that are present, each once; none of a manifest of captions. */
  labels: string[];
  /** Names of those that are known to be absent; null where the row does not say. */
  absent: string[] | null;
  /** Sentences about the image; none of a manifest of labels. */
  captions: string[];
  /** Single things that are mentioned in it; none of a manifest of labels. */
  mentions: string[];
}

/** What a manifest's rows have in common. */
export interface RowContext {
  kind: ManifestKind;
  /** Whether a list may be written as one text with `|` between its items. */
  joined: boolean;
  /** The canonical URI of an image as the row writes it; throws TypeError. */
  resolve: (uri: string) => string;
  fail: (reason: string) => Error;
}

/** Fields of a row that count; others are ignored. */
export const ROW_FIELDS: Readonly<Record<ManifestKind, { required: string[]; optional: string[] }>> = {
  labels: { required: ['uri', 'labels'], optional: ['etag', 'absent'] },
  captions: { required: ['uri', 'captions'], optional: ['etag', 'mentions'] },
};

const SEPARATOR = '|';

/** Checks and cleans a row's fields; `context.fail` makes what is thrown. */
export function manifestRow(
  fields: Readonly<Record<string, unknown>>,
  place: string,
  context: RowContext,
): ManifestRow {
  const { kind } = context;
  const fail = (field: string, reason: string) => context.fail(`${place}: ${field}: ${reason}`);
  const list = (field: string, clean: (text: string) => string): string[] | undefined => {
    const items = itemsOf(fields[field], context.joined);
    if (items === undefined) return undefined;
    if (items === null)
      throw fail(
        field,
        `expected a list of strings${context.joined ? ` or a text with ${SEPARATOR} between them` : ''}, found ${showValue(fields[field])}`,
      );
    return items.map((item) => {
      const cleaned = clean(item);
      if (cleaned === '') throw fail(field, 'an item is empty');
      if (/[\p{Cc}\p{Surrogate}]/u.test(cleaned))
        throw fail(field, `${JSON.stringify(cleaned)} holds a control character`);
      return cleaned;
    });
  };
  const required = (field: string, clean: (text: string) => string): string[] => {
    const items = list(field, clean);
    if (items === undefined) throw fail(field, 'expected a list of strings, found none');
    return items;
  };

  const { uri: written } = fields;
  if (typeof written !== 'string') throw fail('uri', `expected a string, found ${showValue(written)}`);
  let uri: string;
  try {
    uri = context.resolve(written);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw fail('uri', `"${written}" ${error.message}`);
  }
  const etag = etagOf(fields['etag']);
  if (etag === undefined) throw fail('etag', `expected a string, found ${showValue(fields['etag'])}`);
  const row = { place, uri, etag, labels: [], absent: null, captions: [], mentions: [] };
  if (kind === 'labels') {
    const absent = list('absent', cleanName);
    return {
      ...row,
      labels: [...new Set(required('labels', cleanName))],
      absent: absent === undefined ? null : [...new Set(absent)],
    };
  }
  const captions = required('captions', cleanSentence);
  if (captions.length === 0) throw fail('captions', 'expected at least one');
  return { ...row, captions, mentions: list('mentions', cleanSentence) ?? [] };
}

/** The items of a list as a row writes it; undefined where there is none, null where it is something else. */
function itemsOf(value: unknown, joined: boolean): string[] | undefined | null {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) return value.every((item) => typeof item === 'string') ? value : null;
  if (typeof value !== 'string' || !joined) return null;
  return value.split(SEPARATOR).filter((item) => item.trim() !== '');
}

/** null where there is none, undefined for what is no etag. Listings copied from headers have it in quotes. */
function etagOf(value: unknown): string | null | undefined {
  if (value === undefined || value === null || value === '') return null;
  if (typeof value !== 'string') return undefined;
  const etag = value.trim().replace(/^"(.*)"$/, '$1');
  // What is no header value no store can have given.
  return /^[\x21-\x7e]+$/.test(etag) ? etag : undefined;
}

const cleanName = (text: string): string => text.normalize('NFC').trim();

/** Captions from the web are full of line ends, which say nothing. */
const cleanSentence = (text: string): string => cleanName(text.replace(/[\s\p{Cc}]+/gu, ' '));
