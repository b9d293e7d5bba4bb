/** One object of a store, without its bytes. */
export interface ObjectInfo {
  /** Key below the store's URI, as `train/0001.jpg`. */
  key: string;
  /** Changes whenever the content does; unquoted. */
  etag: string;
  sizeBytes: number;
  lastModifiedMs: number;
  /** Set where a listing or a head tells that it lies in an archive storage class and was not restored: a get would fail. */
  archived?: true;
  /** Of an object in a versioned bucket, where the answer to a get told. */
  versionId?: string;
}

export interface ListOptions {
  /** Only keys that start with this string (not necessarily a whole folder name). */
  prefix?: string;
  /** Only keys after this one in UTF-8 byte order. */
  startAfter?: string;
  signal?: AbortSignal;
}

export interface GetOptions {
  /** Etag that the object must still have. */
  ifMatch?: string;
  /** That version instead of the current one; folders have none. */
  versionId?: string;
  /** Inclusive limit of the body, in bytes. */
  maxBytes?: number;
  /** Only the bytes [start, end), which must lie within the object and not be empty; `info` stays the whole's. */
  range?: { start: number; end: number };
  signal?: AbortSignal;
}

export interface PutOptions {
  /** `*`: only if there is no such key yet. */
  ifNoneMatch?: '*';
  /** Only if the object exists and still has this etag. */
  ifMatch?: string;
  /** Media type; folder stores ignore it. */
  contentType?: string;
}

/**
 * What every byte goes through: a bucket's prefix or a folder.
 *
 * All methods throw a Failure with one of these codes (retryable ones in brackets): `Store.NotFound`, `Store.Changed`,
 * `Store.Forbidden`, `Store.PreconditionFailed`, `Store.TooLarge`, `Store.Archived`, [`Store.Unavailable`],
 * `Store.Credentials` [only when expired], `Store.NoBucket`, `Store.ConditionalPutIgnored`, `Store.InvalidKey`,
 * `Store.InvalidUri`, `Store.DiskFull`, and `Store.Rejected` for a refusal that is none of these. An aborted signal
 * throws the signal's reason instead.
 */
export interface ObjectStore {
  /** Canonical, without a trailing slash: `s3://bucket/prefix` or `file:///abs/folder`. */
  readonly uri: string;

  /** The objects in UTF-8 byte order of their keys. Throws `Store.NoBucket` where the bucket or folder is missing. */
  list(options?: ListOptions): AsyncIterable<ObjectInfo>;

  /** The object without its body; undefined where there is none, or not that version. */
  head(key: string, options?: Pick<GetOptions, 'versionId'>): Promise<ObjectInfo | undefined>;

  /**
   * The object's bytes. A body over `maxBytes` throws `Store.TooLarge` before it is read whole, an etag other than
   * `ifMatch` throws `Store.Changed`.
   */
  get(key: string, options?: GetOptions): Promise<{ body: Uint8Array; info: ObjectInfo }>;

  /**
   * Writes an object, all or nothing. A condition that does not hold throws `Store.PreconditionFailed`; so does a
   * conditional put whose answer was lost and that was sent again, so a caller that gets it reads the object and
   * compares. Conditional puts are single requests, never multipart.
   */
  put(key: string, body: Uint8Array | string, options?: PutOptions): Promise<{ etag: string }>;

  /** Copies within the store, on the server's side where there is one (at most 5 GB on S3). */
  copy(fromKey: string, toKey: string): Promise<void>;

  /** Deletes objects; keys that do not exist are no error. */
  delete(keys: string[]): Promise<void>;

  /** The full URI of a key, for messages. */
  describeKey(key: string): string;
}
