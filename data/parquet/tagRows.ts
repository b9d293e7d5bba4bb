import type { SchemaElement } from 'hyparquet';

/**
 * One tagged image: a row of `tags/part-<shard>.parquet`. `null` stands for what the source does not tell.
 */
export interface TagRow {
  /** The object's key (S3) or the path below the folder, as valid Unicode. */
  key: string;
  /** Canonical URI of the source that it was found in. */
  source: string;
  /** The version that was read, where the bucket or the list told. */
  versionId: string | null;
  /** Without quotes. */
  etag: string | null;
  /** Of the object as stored, an integer >= 0. */
  sizeBytes: number | null;
  /** Milliseconds since 1970 UTC; a fraction (file systems have one) is dropped when it is written. */
  lastModifiedMs: number | null;
  /** In pixels, upright (after EXIF orientation). */
  width: number;
  height: number;
  /** In the order to write: by vocabulary, and within one by descending score; scores are written as float32. */
  tags: readonly Tag[];
  /** [d] the image's global feature; present in every row of a part or in none. */
  embedding?: Float32Array;
}

/** One tag of an image. */
export interface Tag {
  label: string;
  /** What decides about tags: in [0, 1] where the model is calibrated, else the raw score, a cosine in [-1, 1]. */
  score: number;
  /** The raw score behind a calibrated `score`; null where `score` is the raw one. */
  rawScore: number | null;
  /** The vocabulary's name; null where the run's only one has none. */
  vocabulary: string | null;
}

/** What the scores of a run are. */
export type ScoreKind = 'calibrated' | 'raw';

/** One image that could not be tagged: a row of `failures/part-<shard>.parquet`. */
export interface FailureRow {
  key: string;
  source: string;
  /** The version that was asked for. */
  versionId: string | null;
  etag: string | null;
  /** One of the closed list of image and store codes, as `Image.Corrupt`. */
  code: string;
  message: string;
  /** How many attempts met the image, >= 1. */
  attempts: number;
}

/** What a part's file metadata says about where it came from. */
export interface PartMetadata {
  /** The run's id. */
  run: string;
  /** The model folder's hash. */
  model: string;
  /** The vocabularies' hashes, separated by commas. */
  vocabulary: string;
  /** {@link ScoreKind}; of parts made of several runs' rows both, separated by commas. */
  scores: string;
}

/** Of the columns below; a change that a reader can notice is a new number. */
export const PART_SCHEMA_VERSION = '3';

/** Keys of {@link PartMetadata} in a part's file metadata. */
export const METADATA_KEYS = {
  schema: 'c2srt.schema',
  run: 'c2srt.run',
  model: 'c2srt.model',
  vocabulary: 'c2srt.vocabulary',
  scores: 'c2srt.scores',
} as const;

type Repetition = 'REQUIRED' | 'OPTIONAL';

const text = (name: string, repetition_type: Repetition = 'REQUIRED'): SchemaElement => ({
  name,
  type: 'BYTE_ARRAY',
  converted_type: 'UTF8',
  logical_type: { type: 'STRING' },
  repetition_type,
});

const int32 = (name: string): SchemaElement => ({ name, type: 'INT32', repetition_type: 'REQUIRED' });

/** The two outer levels of a standard LIST; the element follows. */
const list = (name: string): SchemaElement[] => [
  {
    name,
    repetition_type: 'REQUIRED',
    num_children: 1,
    converted_type: 'LIST',
    logical_type: { type: 'LIST' },
  },
  { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
];

const root = (num_children: number): SchemaElement => ({ name: 'root', num_children });

const float = (name: string, repetition_type: Repetition = 'REQUIRED'): SchemaElement => ({
  name,
  type: 'FLOAT',
  repetition_type,
});

/** A tag's own columns. */
export const TAG_FIELDS: readonly SchemaElement[] = [
  text('label'),
  float('score'),
  float('raw_score', 'OPTIONAL'),
  text('vocabulary', 'OPTIONAL'),
];

const HALF_ELEMENT: SchemaElement = {
  name: 'element',
  type: 'FIXED_LEN_BYTE_ARRAY',
  type_length: 2,
  logical_type: { type: 'FLOAT16' },
  repetition_type: 'REQUIRED',
};

/**
 * Columns of a tags part:
 * `key, source, version_id, etag, size_bytes, last_modified, width, height,
 * tags: list<struct<label, score, raw_score, vocabulary>>` and, with `embedding`, `embedding: list<float>`, of 16-bit
 * floats with `half`. Only what a source may not tell is nullable, and `raw_score` and `vocabulary`.
 */
export function tagSchema(embedding: boolean, half = false): SchemaElement[] {
  return [
    root(embedding ? 10 : 9),
    text('key'),
    text('source'),
    text('version_id', 'OPTIONAL'),
    text('etag', 'OPTIONAL'),
    { name: 'size_bytes', type: 'INT64', repetition_type: 'OPTIONAL' },
    {
      name: 'last_modified',
      type: 'INT64',
      converted_type: 'TIMESTAMP_MILLIS',
      logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MILLIS' },
      repetition_type: 'OPTIONAL',
    },
    int32('width'),
    int32('height'),
    ...list('tags'),
    { name: 'element', repetition_type: 'REQUIRED', num_children: TAG_FIELDS.length },
    ...TAG_FIELDS,
    ...(embedding ? [...list('embedding'), half ? HALF_ELEMENT : float('element')] : []),
  ];
}

/** One tag of an image, where a tag has a row of its own. */
export interface LongRow extends Tag {
  key: string;
  source: string;
  versionId: string | null;
  etag: string | null;
  /** 1 for the image's highest score in the vocabulary. */
  rank: number;
}

/**
 * Columns of a part with a row per tag: `key, source, version_id, etag, label, score, raw_score, vocabulary, rank`;
 * `version_id`, `etag`, `raw_score` and `vocabulary` are nullable.
 */
export function longSchema(): SchemaElement[] {
  return [
    root(5 + TAG_FIELDS.length),
    text('key'),
    text('source'),
    text('version_id', 'OPTIONAL'),
    text('etag', 'OPTIONAL'),
    ...TAG_FIELDS,
    int32('rank'),
  ];
}

/** Columns of a failures part: `key, source, version_id, etag, code, message, attempts`. */
export function failureSchema(): SchemaElement[] {
  return [
    root(7),
    text('key'),
    text('source'),
    text('version_id', 'OPTIONAL'),
    text('etag', 'OPTIONAL'),
    text('code'),
    text('message'),
    int32('attempts'),
  ];
}
