import type { SourceAccess } from '../data/run/record.ts';
import type { ObjectStore } from '../data/store/store.ts';

/** Opens a store with this machine's credentials, or as a run says that its sources are read. */
export type OpenStore = (uri: string, access?: SourceAccess) => ObjectStore;
