import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../../failure.ts';
import { compareUtf8 } from '../../utf8Order.ts';
import { classifyS3Error, type Operation } from '../classify.ts';
import { isArchived, isArchivedByHead } from './archived.ts';
import { decodeKey, hasNoXmlForm, unquoted } from './escapes.ts';
import { listParallel, type ListPage, type ListPageRequest } from '../listParallel.ts';
import { s3Connection, type S3Connection, type S3Options } from './s3Client.ts';
import type { GetOptions, ListOptions, ObjectInfo, ObjectStore, PutOptions } from '../store.ts';

export interface S3StoreOptions extends S3Options {
  /** List requests in flight at once. Default 16; 1 lists plainly. */
  listConcurrency?: number;
  /** Keys per list request, 1 to 1,000. Default 1,000. */
  listPageKeys?: number;
  /** Size in bytes from which an unconditional put is a multipart upload, at least 5 MiB. Default 16 MiB. */
  multipartBytes?: number;
}

/** List pages that may wait for the reader, per request in flight; 64 pages of 1,000 objects are some 20 MB. */
const PAGES_AHEAD_PER_REQUEST = 4;
const PUT_CONFLICT_ATTEMPTS = 6;
const BODY_ATTEMPTS = 3;
const DELETE_BATCH = 1000;

/** A bucket, or the keys below a prefix of one, as an object store. */
export class S3Store implements ObjectStore {
  readonly uri: string;
  readonly #bucket: string;
  /** Empty, or ends with a slash. */
  readonly #prefix: string;
  readonly #options: S3StoreOptions;
  readonly #connection: S3Connection;
  /** What requests that read say of who pays. */
  readonly #payer: { RequestPayer?: 'requester' };

  /** @param prefix without a slash at its end; empty for the whole bucket */
  constructor(bucket: string, prefix: string, options: S3StoreOptions = {}) {
    this.uri = prefix === '' ? `s3://${bucket}` : `s3://${bucket}/${prefix}`;
    this.#bucket = bucket;
    this.#prefix = prefix === '' ? '' : `${prefix}/`;
    this.#options = options;
    this.#connection = s3Connection(options);
    this.#payer = options.requesterPays === true ? { RequestPayer: 'requester' } : {};
  }

  /** Lists by several requests at once, in order; see {@link listParallel}. */
  async *list(options: ListOptions = {}): AsyncGenerator<ObjectInfo, void, undefined> {
    const { prefix = '', startAfter, signal } = options;
    const { listConcurrency = 16, listPageKeys = 1000 } = this.#options;
    const whole = this.#prefix + prefix;
    const objects = listParallel((request) => this.#listPage(request, signal), {
      prefix: whole,
      ...(startAfter === undefined ? {} : { startAfter: this.#prefix + startAfter }),
      concurrency: listConcurrency,
      maxPagesAhead: listConcurrency * PAGES_AHEAD_PER_REQUEST,
      pageKeys: listPageKeys,
      ...(signal === undefined ? {} : { signal }),
    });
    let last: string | undefined;
    for await (const object of objects) {
      if (last !== undefined && compareUtf8(object.key, last) <= 0) throw this.#unordered(object.key, last);
      last = object.key;
      // The marker of the store's own folder is not below it.
      if (object.key !== this.#prefix) yield { ...object, key: object.key.slice(this.#prefix.length) };
    }
  }

  async head(
    key: string,
    { versionId }: Pick<GetOptions, 'versionId'> = {},
  ): Promise<ObjectInfo | undefined> {
    try {
      const command = new HeadObjectCommand({
        Bucket: this.#bucket,
        Key: this.#keyOf(key),
        ...this.#payer,
        ...(versionId === undefined ? {} : { VersionId: versionId }),
      });
      const answer = await this.#connection.slots.run(() => this.#connection.client.send(command));
      return { ...infoOf(key, answer), ...(isArchivedByHead(answer) && { archived: true }) };
    } catch (error) {
      const failure = this.#failureOf(
        error,
        this.describeKey(key),
        versionId === undefined ? 'other' : 'version',
      );
      if (failure.code === 'Store.NotFound') return undefined;
      throw failure;
    }
  }

  async get(key: string, options: GetOptions = {}): Promise<{ body: Uint8Array; info: ObjectInfo }> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#connection.slots.run(() => this.#getOnce(key, options));
      } catch (error) {
        options.signal?.throwIfAborted();
        const operation = options.versionId === undefined ? 'get' : 'version';
        const failure = this.#failureOf(error, this.describeKey(key), operation);
        // The SDK repeats requests; a body that breaks off in the middle is left to its caller.
        if (!(error instanceof BrokenBody) || !failure.retryable || attempt === BODY_ATTEMPTS) throw failure;
      }
    }
  }

  async #getOnce(key: string, options: GetOptions): Promise<{ body: Uint8Array; info: ObjectInfo }> {
    const { ifMatch, versionId, maxBytes = Infinity, range, signal } = options;
    const command = new GetObjectCommand({
      Bucket: this.#bucket,
      Key: this.#keyOf(key),
      ...this.#payer,
      ...(versionId === undefined ? {} : { VersionId: versionId }),
      ...(ifMatch === undefined ? {} : { IfMatch: `"${ifMatch}"` }),
      ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end - 1}` }),
    });
    const answer = await this.#connection.client.send(
      command,
      signal === undefined ? {} : { abortSignal: signal },
    );
    const body = answer.Body as Readable;
    const info = infoOf(key, answer);
    const tooLarge = (sizeBytes: number) => {
      body.destroy();
      const what = `${sizeBytes} bytes or more are over the limit of ${maxBytes}`;
      const subject = this.describeKey(key);
      return new Failure('Store.TooLarge', `${subject}: ${what}`, { subject });
    };
    if (info.sizeBytes > maxBytes) throw tooLarge(info.sizeBytes);
    const wholeBytes = range && Number(/\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1]);
    if (Number.isNaN(wholeBytes)) {
      body.destroy();
      const subject = this.describeKey(key);
      throw new Failure('Store.Rejected', `${subject}: the store ignores ranges`, { subject });
    }
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    const onAbort = () => body.destroy();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      for await (const chunk of body as AsyncIterable<Uint8Array>) {
        sizeBytes += chunk.length;
        if (sizeBytes > maxBytes) throw tooLarge(sizeBytes);
        chunks.push(chunk);
      }
    } catch (error) {
      throw error instanceof Failure ? error : new BrokenBody(error);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
    signal?.throwIfAborted();
    if (answer.ContentLength !== undefined && sizeBytes !== answer.ContentLength) throw new BrokenBody();
    return {
      body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks),
      info: { ...info, sizeBytes: wholeBytes ?? sizeBytes },
    };
  }

  async put(key: string, body: Uint8Array | string, options: PutOptions = {}): Promise<{ etag: string }> {
    const { ifNoneMatch, ifMatch, contentType } = options;
    const isConditional = ifNoneMatch !== undefined || ifMatch !== undefined;
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const input = {
      Bucket: this.#bucket,
      Key: this.#keyOf(key),
      Body: bytes,
      ...(contentType === undefined ? {} : { ContentType: contentType }),
    };
    const { client, slots } = this.#connection;
    const multipartBytes = this.#options.multipartBytes ?? 16 << 20;
    try {
      if (!isConditional && bytes.length >= multipartBytes) {
        const upload = new Upload({ client, params: input, partSize: multipartBytes, queueSize: 4 });
        return { etag: unquoted((await slots.run(() => upload.done())).ETag) };
      }
      const command = new PutObjectCommand({
        ...input,
        ...(ifNoneMatch === undefined ? {} : { IfNoneMatch: ifNoneMatch }),
        ...(ifMatch === undefined ? {} : { IfMatch: `"${ifMatch}"` }),
      });
      for (let attempt = 1; ; attempt++) {
        try {
          return { etag: unquoted((await slots.run(() => client.send(command))).ETag) };
        } catch (error) {
          if (!isConflict(error) || attempt === PUT_CONFLICT_ATTEMPTS) throw error;
          await sleep(50 * 2 ** attempt * (0.5 + Math.random() / 2));
        }
      }
    } catch (error) {
      throw this.#failureOf(error, this.describeKey(key), isConditional ? 'conditionalPut' : 'other');
    }
  }

  async copy(fromKey: string, toKey: string): Promise<void> {
    // A header, so escaped here; slashes stay, or some servers look for a bucket with that name.
    const source = `${this.#bucket}/${this.#keyOf(fromKey)}`.split('/').map(encodeURIComponent).join('/');
    const command = new CopyObjectCommand({
      Bucket: this.#bucket,
      Key: this.#keyOf(toKey),
      CopySource: source,
    });
    try {
      await this.#connection.slots.run(() => this.#connection.client.send(command));
    } catch (error) {
      throw this.#failureOf(error, this.describeKey(fromKey));
    }
  }

  async delete(keys: string[]): Promise<void> {
    const { client, slots } = this.#connection;
    const whole = keys.map((key) => this.#keyOf(key));
    const plain = whole.filter((key) => !hasNoXmlForm(key));
    try {
      for (let start = 0; start < plain.length; start += DELETE_BATCH) {
        const objects = plain.slice(start, start + DELETE_BATCH).map((key) => ({ Key: key }));
        const command = new DeleteObjectsCommand({
          Bucket: this.#bucket,
          Delete: { Objects: objects, Quiet: true },
        });
        const { Errors: errors = [] } = await slots.run(() => client.send(command));
        const first = errors.find(({ Code: code }) => code !== 'NoSuchKey');
        if (first !== undefined) {
          const error = Object.assign(new Error(first.Message ?? ''), { name: first.Code ?? 'Error' });
          throw this.#failureOf(error, `s3://${this.#bucket}/${first.Key ?? ''}`);
        }
      }
      for (const key of whole.filter(hasNoXmlForm)) {
        await slots.run(() => client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key })));
      }
    } catch (error) {
      throw this.#failureOf(error, this.uri);
    }
  }

  describeKey(key: string): string {
    return `${this.uri}/${key}`;
  }

  /** Creates the bucket unless it is there and ours. */
  async createBucket(): Promise<void> {
    try {
      await this.#connection.client.send(new CreateBucketCommand({ Bucket: this.#bucket }));
    } catch (error) {
      if ((error as Error).name !== 'BucketAlreadyOwnedByYou') throw this.#failureOf(error, this.uri);
    }
  }

  async #listPage(request: ListPageRequest, signal: AbortSignal | undefined): Promise<ListPage> {
    const command = new ListObjectsV2Command({
      Bucket: this.#bucket,
      Prefix: request.prefix,
      // XML cannot hold control characters, so the server escapes keys; the SDK leaves them escaped.
      EncodingType: 'url',
      OptionalObjectAttributes: ['RestoreStatus'],
      ...this.#payer,
      MaxKeys: this.#options.listPageKeys ?? 1000,
      ...(request.startAfter === undefined ? {} : { StartAfter: request.startAfter }),
      ...(request.delimiter === undefined ? {} : { Delimiter: request.delimiter }),
      ...(request.continuationToken === undefined ? {} : { ContinuationToken: request.continuationToken }),
    });
    try {
      const send = () =>
        this.#connection.client.send(command, signal === undefined ? {} : { abortSignal: signal });
      const answer = await this.#connection.slots.run(send);
      const decode = (text: string | undefined) =>
        answer.EncodingType === 'url' ? decodeKey(text ?? '') : (text ?? '');
      return {
        objects: (answer.Contents ?? []).map((object) => ({
          key: decode(object.Key),
          etag: unquoted(object.ETag),
          sizeBytes: object.Size ?? 0,
          lastModifiedMs: object.LastModified?.getTime() ?? 0,
          ...(isArchived(object) && { archived: true }),
        })),
        commonPrefixes: (answer.CommonPrefixes ?? []).map(({ Prefix: prefix }) => decode(prefix)),
        ...(answer.IsTruncated === true && answer.NextContinuationToken !== undefined
          ? { continuationToken: answer.NextContinuationToken }
          : {}),
      };
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#failureOf(error, this.uri);
    }
  }

  /** What an error stands for; expired credentials are looked for anew by the next request. */
  #failureOf(error: unknown, subject: string, operation?: Operation): Failure {
    const failure = classifyS3Error(error, subject, operation);
    if (failure.code === 'Store.Credentials' && failure.retryable) this.#connection.renew();
    return failure;
  }

  #keyOf(key: string): string {
    const whole = this.#prefix + key;
    const why =
      key === '' ? 'is empty' : Buffer.byteLength(whole) > 1024 ? 'is longer than 1,024 bytes' : undefined;
    if (why === undefined) return whole;
    const subject = this.describeKey(key);
    throw new Failure('Store.InvalidKey', `${subject}: the key ${why}`, { subject });
  }

  #unordered(key: string, last: string): Failure {
    const what = `lists ${JSON.stringify(key)} after ${JSON.stringify(last)}, not in UTF-8 byte order`;
    const hint = 'Directory buckets and some other stores do so; name the keys in a list instead.';
    return new Failure('Store.Rejected', `${this.uri}: the store ${what}`, { subject: this.uri, hint });
  }
}

/** A body that ended early: unlike a refused request, worth asking for again. */
class BrokenBody extends Error {
  readonly code = 'ECONNRESET';

  constructor(cause?: unknown) {
    super('the connection broke while the body was read', { cause });
  }
}

function isConflict(error: unknown): boolean {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === 409;
}

function infoOf(
  key: string,
  answer: Pick<GetObjectCommandOutput, 'ETag' | 'ContentLength' | 'LastModified' | 'VersionId'>,
): ObjectInfo {
  return {
    key,
    etag: unquoted(answer.ETag),
    sizeBytes: answer.ContentLength ?? 0,
    lastModifiedMs: answer.LastModified?.getTime() ?? 0,
    ...(answer.VersionId !== undefined && { versionId: answer.VersionId }),
  };
}
