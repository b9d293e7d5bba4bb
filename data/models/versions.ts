import { Failure } from '../failure.ts';
import type { ObjectStore } from '../store/store.ts';
import { readAlias, type Alias } from './alias.ts';
import { readLineage, type Lineage } from './lineage.ts';
import { MODEL_CONFIG } from './modelFiles.ts';
import { ALIASES, aliasOfKey, isVersionPrefix, versionFolder, versionOfKey } from './modelPlaces.ts';

/** A published version. */
export interface Version {
  /** SHA-256 of the model. */
  model: string;
  /** Undefined where somebody put the version there by hand. */
  lineage: Lineage | undefined;
  /** Aliases that name it. */
  aliases: string[];
}

/** The whole versions of a folder of models, latest first. Throws `Store.NoBucket` where the folder is not there. */
export async function listVersions(
  models: ObjectStore,
  openStore: (uri: string) => ObjectStore,
): Promise<Version[]> {
  const found: string[] = [];
  for await (const { key } of models.list()) {
    const version = versionOfKey(key);
    if (version?.name === MODEL_CONFIG) found.push(version.model);
  }
  const aliases = await readAliases(models);
  const versions = await Promise.all(
    found.map(async (model) => ({
      model,
      lineage: await readLineage(openStore(`${models.uri}/${model}`)),
      aliases: [...aliases].filter(([, alias]) => alias.model === model).map(([name]) => name),
    })),
  );
  const publishedAt = ({ lineage }: Version): string => lineage?.publishedAt ?? '';
  return versions.sort((a, b) => (publishedAt(a) < publishedAt(b) ? 1 : -1));
}

/** All aliases of a folder of models, by name. */
export async function readAliases(models: ObjectStore): Promise<Map<string, Alias>> {
  const aliases = new Map<string, Alias>();
  for await (const { key } of models.list({ prefix: ALIASES })) {
    const name = aliasOfKey(key);
    const alias = name === undefined ? undefined : await readAlias(models, name);
    if (name !== undefined && alias) aliases.set(name, alias);
  }
  return aliases;
}

/**
 * The SHA-256 of the one whole version that `prefix` begins.
 *
 * @param prefix at least six digits of it
 * @throws Failure `Model.NoVersion` where none or several are meant
 */
export async function findVersion(models: ObjectStore, prefix: string): Promise<string> {
  const found: string[] = [];
  if (isVersionPrefix(prefix))
    for await (const { key } of models.list({ prefix })) {
      const version = versionOfKey(key);
      if (version?.name === MODEL_CONFIG) found.push(version.model);
    }
  const [model, ...others] = found;
  if (model !== undefined && others.length === 0) return model;
  throw new Failure(
    'Model.NoVersion',
    others.length > 0
      ? `${models.uri} has several versions that begin with ${prefix}: ${found.join(', ')}.`
      : `${models.uri} has no version ${prefix}.`,
    {
      subject: models.describeKey(versionFolder(prefix)),
      hint: `\`c2srt model list ${models.uri}\` prints the versions; name one by at least six digits of its SHA-256.`,
    },
  );
}
