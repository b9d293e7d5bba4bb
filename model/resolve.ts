import { createHash } from 'node:crypto';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { Failure } from '../data/failure.ts';
import { hashOfModel, MODEL_FILES } from '../data/models/modelFiles.ts';
import { openStore } from '../data/store/open.ts';
import { fetchFromHub, parseHubUri, type HubProgress } from './hub.ts';
import { hasWeights, weightFiles } from './modelFolder.ts';

/** Where models that are not on this machine are kept, and who is told of their download. */
export interface ResolveOptions {
  cacheDir: string;
  onProgress?: (progress: HubProgress) => void;
}

/**
 * The folder of a model on this machine: a path or `file://` as it is, `hub:NAME[@REVISION]` and `s3://` fetched once
 * into the cache. Throws `Model.NotFound` and the hub's and store's failures.
 */
export async function resolveModel(uri: string, { cacheDir, onProgress }: ResolveOptions): Promise<string> {
  if (uri.startsWith('hub:')) {
    const { name, revision } = parseHubUri(uri);
    return fetchFromHub(name, {
      revision,
      cacheDir: join(cacheDir, 'hub'),
      ...(onProgress && { onProgress }),
    });
  }
  if (uri.startsWith('s3://')) return fetchFromStore(uri, join(cacheDir, 'models'));
  return uri.startsWith('file://') ? fileURLToPath(uri) : uri;
}

/** Copies a model folder out of an object store, once per state of its objects (their etags). */
async function fetchFromStore(uri: string, cacheDir: string): Promise<string> {
  const store = openStore(uri);
  const objects = [];
  for await (const object of store.list())
    if (/^[^/]+\.(json|safetensors|txt|md)$/.test(object.key)) objects.push(object);
  if (!objects.some(({ key }) => key === 'config.json')) {
    throw new Failure('Model.NotFound', `${uri} has no config.json, so it is not a model folder.`, {
      subject: uri,
      hint: 'Put a model there with `c2srt model import ... --out`.',
    });
  }
  const state = createHash('sha256')
    .update(JSON.stringify([uri, objects.map(({ key, etag }) => [key, etag])]))
    .digest('hex')
    .slice(0, 32);
  const folder = join(cacheDir, state);
  if (existsSync(folder)) return folder;
  const partial = `${folder}.${process.pid}`;
  await mkdir(partial, { recursive: true });
  try {
    for (const { key, etag } of objects)
      await writeFile(join(partial, key), (await store.get(key, { ifMatch: etag })).body);
    await rename(partial, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return folder;
}

/** Hashes by file state, so that a worker hashes gigabytes of weights once, not once per run. */
const hashes = new Map<string, Promise<string>>();

/** SHA-256, in hex, of everything in a model folder that determines its scores: weights and configuration files. */
export function modelHash(dir: string): Promise<string> {
  const names = [
    ...MODEL_FILES.filter((name) => existsSync(join(dir, name))),
    ...(hasWeights(dir) ? weightFiles(dir).map((file) => basename(file)) : []),
  ];
  return hashOfModel(names, (name) => {
    const file = join(dir, name);
    const { size, mtimeMs } = statSync(file);
    const state = `${file} ${size} ${mtimeMs}`;
    let hash = hashes.get(state);
    if (!hash) hashes.set(state, (hash = fileHash(file)));
    return hash;
  });
}

async function fileHash(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
