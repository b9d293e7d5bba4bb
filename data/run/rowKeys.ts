/** What stands before a key below the source in rows: with its slash, or nothing. */
export function rowPrefix(source: string): string {
  const prefix = /^s3:\/\/[^/]+\/(.+)$/.exec(source)?.[1];
  return prefix === undefined ? '' : `${prefix}/`;
}

/**
 * The key that rows have for a key below the source: an S3 object's whole key, so that rows of one bucket can be
 * joined whatever prefix was tagged; the path below the folder for files.
 */
export function rowKeys(source: string): (key: string) => string {
  const prefix = rowPrefix(source);
  return (key) => prefix + key;
}
