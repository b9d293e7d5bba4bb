import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { Failure, isFailure, messageOf } from '../failure.ts';
import type { ObjectStore } from '../store/store.ts';
import { MODEL_CONFIG } from './modelFiles.ts';
import { aliasKey, versionFolder } from './modelPlaces.ts';

/** Models that a rollback can go back to, and moves that are remembered. */
const REMEMBERED = 100;

const moveSchema = z.object({
  /** SHA-256 of the model that the alias names from here on. */
  model: z.string(),
  publishedAt: z.iso.datetime(),
  /** The run that published it, `promote` or `rollback`. */
  by: z.string(),
  reason: z.string(),
});

const aliasSchema = moveSchema.extend({
  version: z.literal(1),
  /** What a rollback goes back to; null where there is nothing before. */
  previous: z.string().nullable(),
  /** What the rollbacks after it go back to, nearest first. */
  earlier: z.array(z.string()),
  /** The moves before this one, latest first. */
  history: z.array(moveSchema),
});

/** Which of a name's published models an alias names, and which it named before. */
export type Alias = z.infer<typeof aliasSchema>;
export type AliasMove = z.infer<typeof moveSchema>;

interface AliasRead {
  alias: Alias;
  etag: string;
}

/** An alias of the models in `models`; undefined where there is none. Throws `Model.AliasName`, `Model.AliasInvalid`. */
export async function readAlias(models: ObjectStore, name: string): Promise<Alias | undefined> {
  return (await readAliasWithEtag(models, name))?.alias;
}

/**
 * Makes an alias name a model, provided that nobody has moved it meanwhile: there is one winner among any number of
 * movers. An alias that names the model already stays as it is.
 *
 * @param expected the model that the alias must name; null: there is no such alias yet; undefined: whatever it names now
 * @throws Failure `Model.AliasMoved`, saying what the alias names instead
 */
export async function moveAlias(
  models: ObjectStore,
  name: string,
  move: AliasMove,
  expected: string | null | undefined,
): Promise<{ alias: Alias; moved: boolean }> {
  const read = await readAliasWithEtag(models, name);
  if (read?.alias.model === move.model) return { alias: read.alias, moved: false };
  if (expected !== undefined && (read?.alias.model ?? null) !== expected)
    throw aliasMoved(models, name, read?.alias, expected);
  const before = read ? [read.alias.model, ...stackOf(read.alias)] : [];
  const alias = await swap(models, name, read, move, before);
  return { alias, moved: true };
}

/**
 * Makes an alias name the model that it named before the present one; again, the one before that.
 *
 * @throws Failure `Model.NoAlias`, `Model.NothingToRollBack`, `Model.NoVersion` where that one was deleted, `Model.AliasMoved`
 */
export async function rollBackAlias(
  models: ObjectStore,
  name: string,
  { publishedAt, reason }: Pick<AliasMove, 'publishedAt' | 'reason'>,
): Promise<Alias> {
  const read = await readAliasWithEtag(models, name);
  if (!read)
    throw new Failure('Model.NoAlias', `${models.uri} has no alias ${name}.`, {
      subject: models.describeKey(aliasKey(name)),
      hint: `\`c2srt model list ${models.uri}\` says what is there.`,
    });
  const [target, ...before] = stackOf(read.alias);
  if (target === undefined)
    throw new Failure(
      'Model.NothingToRollBack',
      `${name} of ${models.uri} names ${read.alias.model}, and nothing before it.`,
      {
        subject: models.describeKey(aliasKey(name)),
        hint: '`c2srt model promote` names any version that is there.',
      },
    );
  if (!(await models.head(versionFolder(target) + MODEL_CONFIG)))
    throw new Failure('Model.NoVersion', `${models.uri} has no version ${target} any more.`, {
      subject: models.describeKey(versionFolder(target)),
      hint: '`c2srt model promote` names any version that is there.',
    });
  return swap(models, name, read, { model: target, publishedAt, by: 'rollback', reason }, before);
}

const stackOf = ({ previous, earlier }: Alias): string[] => (previous === null ? [] : [previous, ...earlier]);

async function swap(
  models: ObjectStore,
  name: string,
  read: AliasRead | undefined,
  move: AliasMove,
  before: readonly string[],
): Promise<Alias> {
  const key = aliasKey(name);
  const [previous, ...earlier] = before;
  const history = read ? [moveOf(read.alias), ...read.alias.history] : [];
  const alias: Alias = {
    version: 1,
    ...move,
    previous: previous ?? null,
    earlier: earlier.slice(0, REMEMBERED),
    history: history.slice(0, REMEMBERED),
  };
  try {
    await models.put(key, JSON.stringify(alias, null, 2), {
      contentType: 'application/json',
      ...(read ? { ifMatch: read.etag } : { ifNoneMatch: '*' }),
    });
  } catch (error) {
    if (!isFailure(error, 'Store.PreconditionFailed')) throw error;
    // A put whose answer was lost was sent again, and met itself.
    const there = await readAlias(models, name);
    if (!isDeepStrictEqual(there, alias)) throw aliasMoved(models, name, there, read?.alias.model ?? null);
  }
  return alias;
}

const moveOf = ({ model, publishedAt, by, reason }: Alias): AliasMove => ({ model, publishedAt, by, reason });

function aliasMoved(
  models: ObjectStore,
  name: string,
  there: Alias | undefined,
  expected: string | null,
): Failure {
  const now = there
    ? `names ${there.model} now, by ${there.by} at ${there.publishedAt}`
    : 'is not there any more';
  return new Failure(
    'Model.AliasMoved',
    `${name} of ${models.uri} ${now}; expected ${expected === null ? 'that there is none' : expected}.`,
    {
      subject: models.describeKey(aliasKey(name)),
      hint: 'Compare with the model that is there now, then publish or promote again.',
    },
  );
}

async function readAliasWithEtag(models: ObjectStore, name: string): Promise<AliasRead | undefined> {
  const key = aliasKey(name);
  try {
    const { body, info } = await models.get(key);
    return { alias: parseAlias(Buffer.from(body).toString(), models.describeKey(key)), etag: info.etag };
  } catch (error) {
    if (isFailure(error, 'Store.NotFound')) return undefined;
    throw error;
  }
}

function parseAlias(text: string, subject: string): Alias {
  try {
    return aliasSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new Failure('Model.AliasInvalid', `${subject} is no alias: ${messageOf(cause)}`, {
      subject,
      cause,
    });
  }
}
