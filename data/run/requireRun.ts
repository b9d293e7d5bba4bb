import { Failure } from '../failure.ts';
import type { ObjectStore } from '../store/store.ts';
import { SUCCESS } from './layout.ts';
import {
  readRunRecord,
  type EvaluateRecord,
  type GraphRecord,
  type RunKind,
  type RunRecord,
  type TagRecord,
  type TrainRecord,
} from './record.ts';

/** The record of a run of any kind that must be there. Throws `Run.NotFound`. */
export async function requireRun(output: ObjectStore): Promise<RunRecord> {
  const record = await readRunRecord(output);
  if (record) return record;
  throw new Failure('Run.NotFound', `${output.uri} holds no run.`, {
    subject: output.uri,
    hint: 'Give the folder that a run was started with as --out; `c2srt runs` lists the runs that a server knows.',
  });
}

/** The record of a tag run that must be there. Throws `Run.NotFound`, `Run.OtherKind`. */
export async function requireTagRun(output: ObjectStore): Promise<TagRecord> {
  const record = await requireRun(output);
  if (record.kind === 'tag') return record;
  throw otherKind(output, record, 'tag');
}

/** The record of a tag run that must have finished. Throws `Run.NotFound`, `Run.OtherKind`, `Run.Unfinished`. */
export async function requireFinishedTagRun(output: ObjectStore): Promise<TagRecord> {
  const record = await requireTagRun(output);
  if (await output.head(SUCCESS)) return record;
  throw new Failure('Run.Unfinished', `Run ${record.id} in ${output.uri} has not finished.`, {
    subject: output.uri,
    hint: `\`c2srt status ${output.uri}\` says where it is; \`c2srt resume ${output.uri}\` goes on with it.`,
  });
}

/** The record of a training or pre-training that must be there. Throws `Run.NotFound`, `Run.OtherKind`. */
export async function requireTrainRun(output: ObjectStore): Promise<TrainRecord> {
  const record = await requireRun(output);
  if (record.kind === 'train' || record.kind === 'pretrain') return record;
  throw otherKind(output, record, 'train');
}

/** The record of a graph's run that must be there. Throws `Run.NotFound`, `Run.OtherKind`. */
export async function requireGraphRun(output: ObjectStore): Promise<GraphRecord> {
  const record = await requireRun(output);
  if (record.kind === 'graph') return record;
  throw otherKind(output, record, 'graph');
}

/** The record of an evaluation that must be there. Throws `Run.NotFound`, `Run.OtherKind`. */
export async function requireEvaluateRun(output: ObjectStore): Promise<EvaluateRecord> {
  const record = await requireRun(output);
  if (record.kind === 'evaluate') return record;
  throw otherKind(output, record, 'evaluate');
}

/** That a folder holds a run of another kind than is wanted. */
export function otherKind(output: ObjectStore, { id, kind }: RunRecord, wanted: RunKind): Failure {
  return new Failure(
    'Run.OtherKind',
    `${output.uri} holds ${id}, a run of \`c2srt ${kind}\`, not of \`c2srt ${wanted}\`.`,
    { subject: output.uri, hint: `Choose another --out for \`c2srt ${wanted}\`.` },
  );
}
