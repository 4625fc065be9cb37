import type { Prune, PruneView } from '@writ/contract';
import type { By } from '@writ/store';

/** Removes what was kept long enough, or says what would go. */
export type PruneNow = (asked: Prune, by: By) => Promise<PruneView>;
