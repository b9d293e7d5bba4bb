/** Where published models of one name lie (docs/models.md): a folder per version, and aliases that name one. */
import { Failure } from '../failure.ts';

/** The alias that a model is used by where none is named. */
export const PRODUCTION = 'production';

/** Where a version came from, in its folder. */
export const LINEAGE = 'lineage.json';

export const ALIASES = 'aliases/';

const ALIAS_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const VERSION = /^[0-9a-f]{64}$/;
const VERSION_PREFIX = /^[0-9a-f]{6,64}$/;

/** The key of an alias. Throws `Model.AliasName` for a name that cannot be one, or that reads like a version. */
export function aliasKey(alias: string): string {
  if (ALIAS_NAME.test(alias) && !VERSION_PREFIX.test(alias)) return `${ALIASES}${alias}.json`;
  throw new Failure('Model.AliasName', `${JSON.stringify(alias)} cannot be an alias of a model.`, {
    subject: alias,
    hint: 'Use up to 63 letters, digits, dots, dashes or underscores, which do not read like the start of a SHA-256.',
  });
}

export const aliasOfKey = (key: string): string | undefined => /^aliases\/([^/]+)\.json$/.exec(key)?.[1];

/** The folder of a version, which is named by the model's SHA-256. */
export const versionFolder = (model: string): string => `${model}/`;

/** Whether a text may stand for a version: at least six digits of its SHA-256. */
export const isVersionPrefix = (text: string): boolean => VERSION_PREFIX.test(text);

/** The version whose file a key is, and the file's name in it. */
export function versionOfKey(key: string): { model: string; name: string } | undefined {
  const [model = '', ...rest] = key.split('/');
  return VERSION.test(model) && rest.length > 0 ? { model, name: rest.join('/') } : undefined;
}
