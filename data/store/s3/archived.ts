/** What listings and inventories tell of where an object lies. */
interface StoredObject {
  StorageClass?: string | undefined;
  RestoreStatus?:
    { IsRestoreInProgress?: boolean | undefined; RestoreExpiryDate?: Date | undefined } | undefined;
}

/** Storage classes whose objects cannot be read before they were restored. GLACIER_IR can be read at once. */
const ARCHIVES = new Set(['GLACIER', 'DEEP_ARCHIVE']);

/** Archive tiers of INTELLIGENT_TIERING; only inventories tell them. */
const ARCHIVE_TIERS = new Set(['ARCHIVE', 'ARCHIVE_ACCESS', 'DEEP_ARCHIVE', 'DEEP_ARCHIVE_ACCESS']);

/** Whether a get of an object must fail because it lies in an archive and has not been restored. */
export function isArchived({ StorageClass: storageClass, RestoreStatus: restored }: StoredObject): boolean {
  if (storageClass === undefined || !ARCHIVES.has(storageClass)) return false;
  return restored?.RestoreExpiryDate === undefined || restored.IsRestoreInProgress === true;
}

/** What a HEAD tells of it. */
interface HeadOfObject {
  StorageClass?: string | undefined;
  /** As `ongoing-request="false", expiry-date="..."`. */
  Restore?: string | undefined;
  /** Of an archive tier of INTELLIGENT_TIERING. */
  ArchiveStatus?: string | undefined;
}

/** {@link isArchived}, by the headers of a HEAD. */
export function isArchivedByHead(head: HeadOfObject): boolean {
  const { StorageClass: storageClass = '', Restore: restore, ArchiveStatus: tier } = head;
  return isArchiveClass(storageClass, tier) && !/ongoing-request="false"/.test(restore ?? '');
}

/** Whether an inventory's fields say that an object lies in an archive; whether it was restored they do not tell. */
export function isArchiveClass(storageClass: string, tier = ''): boolean {
  return ARCHIVES.has(storageClass) || ARCHIVE_TIERS.has(tier);
}
