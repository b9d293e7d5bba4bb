import { Failure } from '../../failure.ts';

/** The Failure that a file system's error stands for; `subject` is the path or URI in question. */
export function classifyFileError(error: unknown, subject: string): Failure {
  if (error instanceof Failure) return error;
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  const failure = (storeCode: string, what: string, hint?: string) =>
    new Failure(storeCode, `${subject}: ${what} (${code})`, {
      subject,
      cause: error,
      ...(hint === undefined ? {} : { hint }),
    });
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return failure('Store.NotFound', 'no such file');
    case 'EISDIR':
      return failure('Store.NotFound', 'it is a folder, not a file');
    case 'EACCES':
    case 'EPERM':
      return failure(
        'Store.Forbidden',
        'permission denied',
        'Check the permissions of the file and its folders.',
      );
    case 'EROFS':
      return failure(
        'Store.Forbidden',
        'the file system is read-only',
        'Choose a folder that can be written to.',
      );
    case 'ENOSPC':
    case 'EDQUOT':
      return failure(
        'Store.DiskFull',
        'no space left',
        'Free some space, or write elsewhere, then resume the run.',
      );
    case 'EFBIG':
    case 'ERR_FS_FILE_TOO_LARGE':
      return failure('Store.TooLarge', 'the file is too large');
    case 'ENAMETOOLONG':
    case 'ELOOP':
    case 'EILSEQ':
    case 'EINVAL':
    case 'ERR_INVALID_ARG_VALUE':
      return failure('Store.InvalidKey', 'the file system does not take this name');
    default:
      return new Failure(
        'Store.Unavailable',
        `${subject}: ${error instanceof Error ? error.message : String(error)}`,
        {
          subject,
          cause: error,
          // EIO, EMFILE, ENFILE, EBUSY, ESTALE, ETIMEDOUT and the like: the same call may work in a moment.
          retryable: code !== '',
        },
      );
  }
}
