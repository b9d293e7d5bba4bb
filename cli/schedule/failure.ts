import {
  isGrpcServiceError,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ServiceError,
} from '@temporalio/client';
import { Failure } from '../../data/failure.ts';

/** gRPC status codes, https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const INVALID_ARGUMENT = 3;
const UNIMPLEMENTED = 12;

/**
 * Asks the server something about a schedule.
 *
 * @throws Failure `Schedule.Exists`, `Schedule.NotFound`, `Schedule.Invalid` (what the server says of it), `Schedule.Unsupported`
 */
export async function askingOf<T>(name: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw classify(error, name);
  }
}

function classify(error: unknown, name: string): unknown {
  if (error instanceof ScheduleAlreadyRunning)
    return new Failure('Schedule.Exists', `There is a schedule ${name} already.`, {
      subject: name,
      hint: '`c2srt schedule update` changes it; `c2srt schedule delete` removes it.',
    });
  if (error instanceof ScheduleNotFoundError)
    return new Failure('Schedule.NotFound', `This Temporal server has no schedule ${name}.`, {
      subject: name,
      hint: '`c2srt schedule list` prints those that it has.',
    });
  // What the client makes of a specification that the server refuses.
  if (error instanceof TypeError) return invalid(name, error.message, error);
  const grpc = error instanceof ServiceError ? error.cause : error;
  if (!isGrpcServiceError(grpc)) return error;
  const status: number = grpc.code;
  if (status === INVALID_ARGUMENT) return invalid(name, grpc.details, error);
  if (status === UNIMPLEMENTED)
    return new Failure('Schedule.Unsupported', 'This Temporal server has no schedules.', {
      hint: 'Use Temporal 1.17 or newer.',
      cause: error,
    });
  return error;
}

function invalid(name: string, why: string, cause: unknown): Failure {
  return new Failure('Schedule.Invalid', `Temporal refuses schedule ${name}: ${why}.`, {
    subject: name,
    hint: 'Check --cron, --every and --timezone.',
    cause,
  });
}
