/**
 * A server that answers as the Hugging Face hub does, for one repository kept in memory: model info, tree, refs and
 * resolve, where large files are sent on to a storage path of their own. Faults are switched on per test.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeRepository {
  name: string;
  /** Branches and `refs/pr/N`, and the files of the commit that each names. */
  revisions: Record<string, Record<string, Buffer>>;
}

export interface Faults {
  /** Statuses (with headers) that the next requests get, whatever they ask for. */
  answers: { status: number; headers?: Record<string, string> }[];
  /** After how many bytes the next transfers of large files stop, until {@link FakeHub.drop}; 0: break off at once. */
  breakAfter: number[];
  /** Content that is sent in place of a file's. */
  forged: Record<string, Buffer>;
  /** Ignore `Range`. */
  noRanges: boolean;
}

export interface FakeHub {
  endpoint: string;
  faults: Faults;
  /** `METHOD path`, and the range that was asked for. */
  requests: { path: string; range: string | undefined; authorization: string | undefined }[];
  /**
   * Breaks the connections of the transfers that stopped. Left to the test, because what the client has received but
   * not yet read is lost when a connection breaks.
   */
  drop(): void;
  close(): Promise<void>;
}

const held = new Set<ServerResponse>();

/** Large files are those of 1 KiB and more. */
const LFS_BYTES = 1024;

export function commitOf(files: Record<string, Buffer>): string {
  const hash = createHash('sha1');
  for (const [path, content] of Object.entries(files)) hash.update(path).update(content);
  return hash.digest('hex');
}

export async function startFakeHub(repository: FakeRepository): Promise<FakeHub> {
  const faults: Faults = { answers: [], breakAfter: [], forged: {}, noRanges: false };
  const requests: FakeHub['requests'] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url!.split('?')[0]!);
    const { range, authorization } = request.headers;
    requests.push({ path, range, authorization });
    const fault = faults.answers.shift();
    if (fault === undefined) answer(repository, faults, path, request, response);
    else response.writeHead(fault.status, fault.headers).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    faults,
    requests,
    drop: () => {
      for (const response of held) response.destroy();
      held.clear();
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

function answer(
  { name, revisions }: FakeRepository,
  faults: Faults,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const json = (body: unknown) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  const missing = (reason: string, status: number) =>
    response.writeHead(status, { 'x-error-code': reason }).end('{}');
  const filesAt = (revision: string) =>
    revisions[revision] ?? Object.values(revisions).find((files) => commitOf(files) === revision);

  const stored = /^\/storage\/([0-9a-f]+)$/.exec(path)?.[1];
  if (stored !== undefined) {
    const contents = Object.values(revisions).flatMap((files) => Object.entries(files));
    const [file, content] = contents.find(([, bytes]) => sha256(bytes) === stored)!;
    sendContent(faults, faults.forged[file] ?? content, request, response);
    return;
  }
  if (!path.startsWith(`/api/models/${name}/`) && !path.startsWith(`/${name}/`)) {
    missing('RepoNotFound', 401);
    return;
  }
  const [, kind, rest = ''] = /^(?:\/api\/models)?\/[^/]+\/[^/]+\/(\w+)(?:\/(.*))?$/.exec(path)!;
  if (kind === 'refs') {
    const refs = Object.entries(revisions).map(([revision, files]) => ({
      name: revision,
      ref: revision.startsWith('refs/') ? revision : `refs/heads/${revision}`,
      targetCommit: commitOf(files),
    }));
    json({
      branches: refs.filter((ref) => ref.ref.startsWith('refs/heads/')),
      tags: [],
      converts: [],
      pullRequests: refs.filter((ref) => ref.ref.startsWith('refs/pr/')),
    });
    return;
  }
  const [revision, file] = kind === 'resolve' ? split(rest) : [rest, undefined];
  const files = filesAt(revision);
  if (files === undefined) {
    missing('RevisionNotFound', 404);
  } else if (kind === 'revision') {
    json({ _id: '1', id: name, sha: commitOf(files) });
  } else if (kind === 'tree') {
    json([
      { type: 'directory', oid: '0'.repeat(40), size: 0, path: 'onnx' },
      ...Object.entries(files).map(([filePath, content]) => treeEntry(filePath, content)),
    ]);
  } else if (file !== undefined && files[file] !== undefined) {
    const content = files[file];
    response.setHeader('x-repo-commit', commitOf(files));
    if (content.byteLength >= LFS_BYTES) {
      const hash = sha256(content);
      response
        .writeHead(302, {
          location: `/storage/${hash}`,
          'x-linked-etag': `"${hash}"`,
          'x-linked-size': content.byteLength,
        })
        .end();
    } else {
      sendContent(faults, faults.forged[file] ?? content, request, response);
    }
  } else {
    missing('EntryNotFound', 404);
  }
}

function sendContent(
  faults: Faults,
  content: Buffer,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? NaN);
  const partial = !faults.noRanges && !Number.isNaN(from);
  const body = partial ? content.subarray(from) : content;
  const headers = {
    'content-length': body.byteLength,
    ...(partial && { 'content-range': `bytes ${from}-${content.byteLength - 1}/${content.byteLength}` }),
  };
  response.writeHead(partial ? 206 : 200, headers);
  const breakAfter = content.byteLength >= LFS_BYTES ? faults.breakAfter.shift() : undefined;
  if (breakAfter === undefined) response.end(body);
  else if (breakAfter === 0) response.destroy();
  else {
    response.write(body.subarray(0, breakAfter));
    held.add(response);
  }
}

function treeEntry(path: string, content: Buffer) {
  const size = content.byteLength;
  if (size < LFS_BYTES) return { type: 'file', path, size, oid: gitSha1(content) };
  // The oid of a large file is that of its pointer.
  const lfs = { oid: sha256(content), size, pointerSize: 134 };
  return { type: 'file', path, size, oid: gitSha1(Buffer.from(lfs.oid)), lfs };
}

/** `COMMIT/path`; commits and branches of the tests have no slash in them when files are asked for. */
function split(rest: string): [string, string] {
  const slash = rest.indexOf('/');
  return [rest.slice(0, slash), rest.slice(slash + 1)];
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function gitSha1(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.byteLength}\0`).update(content).digest('hex');
}
