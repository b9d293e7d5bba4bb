/** What tells that inputs have changed, without reading them: the etags of their objects. */
import { splitObjectUri } from '../dataset/objectUri.ts';
import { Failure } from '../failure.ts';
import { isModelFile } from '../models/modelFiles.ts';
import type { ObjectStore } from '../store/store.ts';

type OpenStore = (uri: string) => ObjectStore;

/** The etag of an object. Throws `Store.NotFound` where there is none. */
export async function objectState(uri: string, openStore: OpenStore): Promise<string> {
  const { store, key } = splitObjectUri(uri);
  const info = await openStore(store).head(key);
  if (info) return info.etag;
  throw new Failure('Store.NotFound', `${uri} is not there.`, { subject: uri, retryable: false });
}

/** The files of a model folder and their etags; of a model on the hub its name, which has a revision of its own. */
export async function modelState(uri: string, openStore: OpenStore): Promise<[string, string][] | string> {
  if (uri.startsWith('hub:')) return uri;
  const files: [string, string][] = [];
  for await (const { key, etag } of openStore(uri).list()) if (isModelFile(key)) files.push([key, etag]);
  return files;
}
