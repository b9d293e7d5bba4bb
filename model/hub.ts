import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { Failure, isFailure } from '../data/failure.ts';
import { HubApi, type HubFile } from './hub/api.ts';
import { fetchFile, placeFile, type Resumption } from './hub/download.ts';
import { chooseFiles, hasSafetensors, shardNames } from './hub/files.ts';

/** A model of the Hugging Face hub. */
export interface HubModel {
  /** `owner/name`. */
  name: string;
  /** Branch, tag, `refs/pr/N` or commit. */
  revision: string;
}

/** A full commit names its content for good; anything else may move. */
const COMMIT = /^[0-9a-f]{40}$/;
/**
 * A CLIP ViT-B/16 with safetensors on its main revision, here by that revision's commit: LAION's DataComp-XL weights in
 * the layout of the transformers library, MIT licence. OpenAI's own B/16 has only `pytorch_model.bin` on main, LAION's
 * repositories hold OpenCLIP's layout.
 */
export const DEFAULT_HUB_MODEL =
  'hub:flavour/CLIP-ViT-B-16-DataComp.XL-s13B-b90K@0c3075a0efb729ca12cb4bb2a1275772c2343730';
/** How many revisions are looked through for one with safetensors. */
const MAX_REVISIONS = 30;

/**
 * Parses `hub:NAME[@REVISION]`, as `hub:openai/clip-vit-large-patch14@refs/pr/3`. The revision is `main` by default.
 *
 * @throws Failure `Hub.InvalidUri`.
 */
export function parseHubUri(uri: string): HubModel {
  const match = /^hub:([^@]*)(?:@(.*))?$/s.exec(uri);
  const name = match?.[1] ?? '';
  const revision = match?.[2] ?? 'main';
  requireSafe(uri, name, revision);
  return { name, revision };
}

/** How far a download has come. */
export interface HubProgress {
  /** The file that is being fetched. */
  file: string;
  /** Bytes of it that are here, and its size. */
  fileBytes: number;
  fileSizeBytes: number;
  /** The same of all files of this call together; what was in the cache before counts as done. */
  doneBytes: number;
  sizeBytes: number;
}

export interface HubOptions {
  /** Default `main`. */
  revision?: string;
  /** Where models are kept, in the layout of Hugging Face's own cache, which may be shared with it. */
  cacheDir: string;
  /** Default `$HF_ENDPOINT`, else `https://huggingface.co`. */
  endpoint?: string;
  /** Default `$HF_TOKEN`, else none. */
  token?: string;
  /** Make no request; what the cache lacks is `Hub.Offline`. Default: whether `$HF_HUB_OFFLINE` is `1`. */
  offline?: boolean;
  onProgress?: (progress: HubProgress) => void;
  /** The wait before the second try of a request, doubled for each further one, in milliseconds. Default 500. */
  retryDelayMs?: number;
}

/**
 * Fetches a CLIP checkpoint, or a model of this project, from the Hugging Face hub and returns the folder that holds it:
 * `config.json`, `model.safetensors` (or its shards and their index), the tokenizer and what else a model folder has.
 *
 * Files are fetched once: a commit that is complete in the cache costs no request, a branch or tag one (its commit is
 * asked for; where the hub does not answer, the commit that it had last time is used). An interrupted download goes on
 * where it stopped. Every file is checked against the hash that the hub gives for it (SHA-256, or git's SHA-1 for the
 * small ones) before it gets its name; concurrent calls do not disturb each other.
 *
 * @throws Failure `Hub.InvalidUri`, `Hub.NotFound`, `Hub.Gated`, `Hub.NoSafetensors` (names a revision or a model that
 *   has them), `Hub.Incomplete` (other files of a CLIP checkpoint are missing), `Hub.HashMismatch`, `Hub.Offline`,
 *   `Hub.RateLimited`, `Hub.Unavailable`.
 */
export async function fetchFromHub(name: string, options: HubOptions): Promise<string> {
  const revision = options.revision ?? 'main';
  requireSafe(`hub:${name}@${revision}`, name, revision);
  const model = { name, revision };
  const folder = join(options.cacheDir, `models--${name.replaceAll('/', '--')}`);
  const api = new HubApi({
    model,
    endpoint: (options.endpoint ?? process.env['HF_ENDPOINT'] ?? 'https://huggingface.co').replace(
      /\/+$/,
      '',
    ),
    token: options.token ?? process.env['HF_TOKEN'],
    offline: options.offline ?? process.env['HF_HUB_OFFLINE'] === '1',
    retryDelayMs: options.retryDelayMs ?? 500,
  });

  const commit = await resolveCommit(api, folder, revision);
  const snapshot = join(folder, 'snapshots', commit);
  if (await isComplete(folder, commit)) return snapshot;

  const listing = await api.listFiles(commit);
  if (!hasSafetensors(listing)) throw await noSafetensors(api, model, listing);
  const { chosen, index } = chooseFiles(model, listing);
  const progress = progressOf(chosen, options.onProgress);
  const fetchInto = async (file: HubFile) => {
    const resumption: Resumption = {
      open: (fromByte, signal) => api.openFile(commit, file.path, fromByte, signal),
      onBytes: (fileBytes) => progress.tell(file, fileBytes),
      retryDelayMs: options.retryDelayMs ?? 500,
    };
    const blob = await fetchFile(join(folder, 'blobs'), file, resumption);
    await placeFile(blob, join(snapshot, file.path));
  };
  if (index !== undefined) {
    await fetchInto(index);
    const shards = await shardNames(model, join(snapshot, index.path), listing);
    progress.add(shards);
    chosen.push(...shards);
  }
  for (const file of chosen) if (file !== index) await fetchInto(file);
  const manifest = chosen.map(({ path, sizeBytes }) => ({ path, sizeBytes }));
  await writeWhole(manifestOf(folder, commit), JSON.stringify(manifest));
  return snapshot;
}

/** The commit that `revision` names now or, where the hub does not answer, that it named the last time. */
async function resolveCommit(api: HubApi, folder: string, revision: string): Promise<string> {
  if (COMMIT.test(revision)) return revision;
  const remembered = join(folder, 'refs', revision);
  try {
    const commit = await api.commitOf(revision);
    await writeWhole(remembered, commit);
    return commit;
  } catch (error) {
    const unanswered =
      isFailure(error, 'Hub.Offline') ||
      isFailure(error, 'Hub.RateLimited') ||
      isFailure(error, 'Hub.Unavailable');
    const commit = unanswered ? await readFile(remembered, 'utf8').catch(() => '') : '';
    if (COMMIT.test(commit.trim()) && (await isComplete(folder, commit.trim()))) return commit.trim();
    throw error;
  }
}

/** Whether all files of a commit were fetched before and still are there with their sizes. */
async function isComplete(folder: string, commit: string): Promise<boolean> {
  const text = await readFile(manifestOf(folder, commit), 'utf8').catch(() => undefined);
  if (text === undefined) return false;
  for (const { path, sizeBytes } of JSON.parse(text) as HubFile[]) {
    const file = await stat(join(folder, 'snapshots', commit, path)).catch(() => undefined);
    if (file?.size !== sizeBytes) return false;
  }
  return true;
}

/** Beside the snapshots and not in one, so that a snapshot holds the repository's files alone. */
function manifestOf(folder: string, commit: string): string {
  return join(folder, 'c2srt', `${commit}.json`);
}

async function noSafetensors(api: HubApi, model: HubModel, listing: HubFile[]): Promise<Failure> {
  const other = await revisionWithSafetensors(api);
  const foreign = listing.find((file) => file.path.endsWith('.safetensors'));
  const what =
    `hub:${model.name}@${model.revision} has no model.safetensors` +
    (foreign === undefined ? '' : ` (its ${foreign.path} is of another layout)`);
  const advice =
    other === undefined
      ? `no other revision of it is known to have one; ${DEFAULT_HUB_MODEL} does`
      : `its revision ${other} does`;
  return new Failure('Hub.NoSafetensors', `${what}; ${advice}`, {
    subject: `hub:${model.name}@${model.revision}`,
    hint: `Use ${other === undefined ? DEFAULT_HUB_MODEL : `hub:${model.name}@${other}`}.`,
  });
}

async function revisionWithSafetensors(api: HubApi): Promise<string | undefined> {
  const seen = new Set<string>();
  // Where the revisions cannot be asked for, what was found out already is still worth saying.
  for (const { revision, commit } of await api.listRevisions().catch(() => [])) {
    if (seen.has(commit)) continue;
    if (seen.size >= MAX_REVISIONS) break;
    seen.add(commit);
    // A revision that cannot be listed is not one to recommend.
    const listing = await api.listFiles(commit).catch(() => []);
    if (hasSafetensors(listing) && listing.some((file) => file.path === 'config.json')) return revision;
  }
  return undefined;
}

function progressOf(files: HubFile[], onProgress: ((progress: HubProgress) => void) | undefined) {
  const doneBytes = new Map<string, number>();
  let sizeBytes = 0;
  const add = (more: HubFile[]) => {
    for (const file of more) sizeBytes += file.sizeBytes;
  };
  add(files);
  return {
    add,
    tell(file: HubFile, fileBytes: number) {
      doneBytes.set(file.path, fileBytes);
      onProgress?.({
        file: file.path,
        fileBytes,
        fileSizeBytes: file.sizeBytes,
        doneBytes: [...doneBytes.values()].reduce((sum, bytes) => sum + bytes, 0),
        sizeBytes,
      });
    },
  };
}

/** Names become folders and parts of URLs, so nothing passes that could leave either. */
function requireSafe(uri: string, name: string, revision: string): void {
  const nameOk = /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)?$/.test(name) && !/\.\.|--/.test(name);
  const revisionOk =
    /^[\w.+-]+(\/[\w.+-]+)*$/.test(revision) && !revision.split('/').some((part) => /^\.+$/.test(part));
  if (nameOk && revisionOk) return;
  throw new Failure('Hub.InvalidUri', `${uri} is not a model of the hub`, {
    subject: uri,
    hint: 'Write hub:OWNER/NAME or hub:OWNER/NAME@REVISION, as hub:openai/clip-vit-large-patch14.',
  });
}

async function writeWhole(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, text);
  await rename(draft, path);
}
