import { debuglog } from 'node:util';
import {
  isGrpcServiceError,
  ServiceError,
  type WorkflowHandle,
  type WorkflowStartOptions,
} from '@temporalio/client';
import proto from '@temporalio/proto';
import { SEARCH_ATTRIBUTE_TYPES } from '../../../data/run/atWork/searchAttributes.ts';
import { attributesOf } from '../../../workflows/control/attributes.ts';
import type { Session } from '../session.ts';

/** Said with NODE_DEBUG=c2srt. */
const debug = debuglog('c2srt');

const INVALID_ARGUMENT = 3;

/** Whether a server refuses a request because it does not know a search attribute. */
export const isUnknownAttribute = (error: unknown): boolean =>
  error instanceof ServiceError &&
  isGrpcServiceError(error.cause) &&
  (error.cause.code as number) === INVALID_ARGUMENT &&
  /search attribute/i.test(error.cause.details);

/**
 * Starts a run's workflow with search attributes; on a server that lacks them they are registered, and where that is not
 * permitted the run goes on without.
 */
export async function startSearchable(
  session: Session,
  workflow: string,
  { kind, output }: { kind: string; output: string },
  options: WorkflowStartOptions,
): Promise<WorkflowHandle> {
  const { client } = session;
  const asRun = { ...options, memo: { output } };
  const searchable = { ...asRun, typedSearchAttributes: attributesOf(kind, output) };
  try {
    return await client.workflow.start(workflow, searchable);
  } catch (error) {
    if (!isUnknownAttribute(error)) throw error;
  }
  try {
    await register(session);
    return await client.workflow.start(workflow, searchable);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    debug('the run has no search attributes: %s', error.message);
    return client.workflow.start(workflow, asRun);
  }
}

/** Registers the search attributes that the namespace lacks. */
async function register({ connection, namespace }: Session): Promise<void> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const { INDEXED_VALUE_TYPE_KEYWORD: Keyword, INDEXED_VALUE_TYPE_BOOL: Bool } =
    proto.temporal.api.enums.v1.IndexedValueType;
  const types = { Keyword, Bool };
  const missing = Object.entries(SEARCH_ATTRIBUTE_TYPES).filter(([name]) => !(name in customAttributes));
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(missing.map(([name, type]) => [name, types[type]])),
  });
}
