import { Failure, isFailure } from '../failure.ts';
import { joinUri } from '../store/open.ts';
import type { ObjectStore } from '../store/store.ts';
import { readAlias } from './alias.ts';
import { MODEL_CONFIG } from './modelFiles.ts';
import { aliasKey, isVersionPrefix, PRODUCTION } from './modelPlaces.ts';
import { findVersion, readAliases } from './versions.ts';

/**
 * The URI of the version that a name of published models means now, so that what starts from it keeps to that version:
 * `<folder>` is the alias `production`, `<folder>@<alias>` another, `<folder>@<digits of a SHA-256>` a version. The URI of
 * anything else, as of a model folder itself, is returned as it is: whether it is a model shows when it is opened.
 *
 * @param uri canonical
 * @throws Failure `Model.NoAlias`, `Model.NoVersion`
 */
export async function pinModel(uri: string, openStore: (uri: string) => ObjectStore): Promise<string> {
  const folder = openStore(uri);
  if (await folder.head(MODEL_CONFIG)) return uri;
  const [, name, selector] = /^(.+)@([^/@]+)$/.exec(uri) ?? [];
  if (name !== undefined && selector !== undefined) {
    const models = openStore(name);
    const alias = isVersionPrefix(selector) ? undefined : await readAlias(models, selector);
    if (alias) return joinUri(name, alias.model);
    if (isVersionPrefix(selector)) return joinUri(name, await findVersion(models, selector));
    if ((await aliasesOf(models)).length === 0) return uri;
    throw await noAlias(models, selector);
  }
  const production = await readAlias(folder, PRODUCTION);
  if (production) return joinUri(uri, production.model);
  if ((await aliasesOf(folder)).length > 0) throw await noAlias(folder, PRODUCTION);
  return uri;
}

/** Names of the aliases of a folder; none where it is no folder of published models. */
async function aliasesOf(models: ObjectStore): Promise<string[]> {
  try {
    return [...(await readAliases(models)).keys()];
  } catch (error) {
    if (isFailure(error, 'Store.NoBucket')) return [];
    throw error;
  }
}

async function noAlias(models: ObjectStore, name: string): Promise<Failure> {
  return new Failure('Model.NoAlias', `${models.uri} has no alias ${name}.`, {
    subject: models.describeKey(aliasKey(name)),
    hint: `It has: ${(await aliasesOf(models)).join(', ')}. \`${models.uri}@NAME\` names one.`,
  });
}
