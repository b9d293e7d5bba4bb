import { setTimeout as sleep } from 'node:timers/promises';
import { listFiles, modelInfo } from '@huggingface/hub';
import { Failure } from '../../data/failure.ts';
import { classifyNetworkError, classifyResponse, offlineFailure } from './classify.ts';

/** A file of a repository at one commit. */
export interface HubFile {
  /** Path in the repository. */
  path: string;
  sizeBytes: number;
  /** SHA-256 of the content, for the large files. */
  sha256?: string | undefined;
  /** Git's SHA-1 of the content as a blob, for the others. */
  gitSha1?: string | undefined;
}

/** A branch, tag or pull request. */
export interface HubRevision {
  revision: string;
  commit: string;
}

export interface HubApiOptions {
  model: { name: string; revision: string };
  /** Without a slash at its end. */
  endpoint: string;
  token: string | undefined;
  offline: boolean;
  retryDelayMs: number;
}

/** Tries of a question that is answered with "later" or not at all. */
const MAX_TRIES = 4;
/** Longer than this, a rate limit is the caller's to wait for. */
const MAX_WAIT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 20_000;

/** The hub's answers about one model. Every error is a Failure of `classify.ts`. */
export class HubApi {
  readonly #options: HubApiOptions;

  constructor(options: HubApiOptions) {
    this.#options = options;
  }

  /** The commit that a revision names now. */
  async commitOf(revision: string): Promise<string> {
    const info = await modelInfo({
      name: this.#options.model.name,
      revision,
      additionalFields: ['sha'],
      ...this.#common(),
    });
    if (!/^[0-9a-f]{40}$/.test(info.sha)) throw this.#nonsense('a commit');
    return info.sha;
  }

  /** The files at the top of the repository; models have none that matter in folders. */
  async listFiles(commit: string): Promise<HubFile[]> {
    const files: HubFile[] = [];
    const entries = listFiles({
      repo: { type: 'model', name: this.#options.model.name },
      revision: commit,
      ...this.#common(),
    });
    for await (const { type, path, size, oid, lfs } of entries) {
      if (type !== 'file') continue;
      // Hashes become the names of files.
      if (!/^[0-9a-f]+$/.test(lfs?.oid ?? oid ?? '')) throw this.#nonsense(`the hash of ${path}`);
      // The oid of a large file is that of its pointer, not of its content.
      files.push({
        path,
        sizeBytes: lfs?.size ?? size,
        ...(lfs === undefined ? { gitSha1: oid } : { sha256: lfs.oid }),
      });
    }
    return files;
  }

  /** All revisions: branches, then tags, then pull requests from the first on. */
  async listRevisions(): Promise<HubRevision[]> {
    const { endpoint, model } = this.#options;
    const response = await this.#ask(`${endpoint}/api/models/${model.name}/refs?include_prs=1`);
    type Ref = { name: string; ref: string; targetCommit: string };
    const refs = (await response.json()) as Record<'branches' | 'tags' | 'pullRequests', Ref[] | undefined>;
    const named = [...(refs.branches ?? []), ...(refs.tags ?? [])].map((ref) => ({
      revision: ref.name,
      commit: ref.targetCommit,
    }));
    const proposed = (refs.pullRequests ?? [])
      .map((ref) => ({ revision: ref.ref, commit: ref.targetCommit }))
      .sort((a, b) => a.revision.localeCompare(b.revision, 'en', { numeric: true }));
    return [...named, ...proposed];
  }

  /** The content of a file from a byte on. The answer may begin at 0 all the same: its status is 200 then, else 206. */
  async openFile(commit: string, path: string, fromByte: number, signal: AbortSignal): Promise<Response> {
    const { endpoint, model } = this.#options;
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    // Ranges count the bytes that are sent, compressed or not.
    const headers: Record<string, string> = { 'accept-encoding': 'identity' };
    if (fromByte > 0) headers['range'] = `bytes=${fromByte}-`;
    return await this.#request(`${endpoint}/${model.name}/resolve/${commit}/${encoded}`, { headers, signal });
  }

  #nonsense(what: string): Failure {
    const { endpoint, model } = this.#options;
    return new Failure('Hub.Unavailable', `${endpoint} does not give ${what} of ${model.name}`, {
      subject: endpoint,
      hint: 'Check HF_ENDPOINT: the server there does not speak as the hub does.',
    });
  }

  #common(): { hubUrl: string; fetch: typeof fetch } {
    return {
      hubUrl: this.#options.endpoint,
      fetch: (input, init) => this.#ask(String(input instanceof Request ? input.url : input), init),
    };
  }

  /** A request for something small, tried again while the hub says "later". */
  async #ask(url: string, init: RequestInit = {}): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#request(url, { ...init, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
      } catch (error) {
        const later = error instanceof Failure && error.retryable && error.code !== 'Hub.Offline';
        const waitMs = later ? (error.retryAfterMs ?? this.#options.retryDelayMs * 2 ** (attempt - 1)) : 0;
        if (!later || attempt === MAX_TRIES || waitMs > MAX_WAIT_MS) throw error;
        await sleep(waitMs);
      }
    }
  }

  async #request(url: string, init: RequestInit): Promise<Response> {
    const { model, token, offline } = this.#options;
    if (offline) throw offlineFailure(model);
    const headers = new Headers(init.headers);
    // `fetch` drops this header when it is sent on to another host, as the storage behind large files is.
    if (token !== undefined && token !== '') headers.set('authorization', `Bearer ${token}`);
    headers.set('user-agent', 'c2srt');
    const response = await fetch(url, { ...init, headers }).catch((error: unknown) => {
      throw classifyNetworkError(error, model);
    });
    if (response.ok) return response;
    await response.body?.cancel();
    throw classifyResponse(response, model);
  }
}
