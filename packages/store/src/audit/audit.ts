import type { By } from '../by.ts';
import type { Page, PageAsked } from '../page.ts';

export interface AuditRecord {
  readonly seq: number;
  readonly time: number;
  readonly actor: string;
  readonly source: string;
  readonly action: string;
  readonly object: string;
  readonly outcome: 'done' | 'refused';
  /** How many state changes it stands for. */
  readonly count: number;
  readonly detail: string;
  readonly previous: string;
  readonly hash: string;
}
export type AuditReport =
  | { readonly isWhole: true; readonly records: number; readonly head: string }
  | {
      readonly isWhole: false;
      readonly records: number;
      readonly firstBad: number;
      readonly fault: 'missing' | 'order' | 'hash' | 'head';
    };
export interface AuditStore {
  /** What was asked and not done, or an act that changes no table of ours. */
  record(entry: {
    readonly action: string;
    readonly object: string;
    readonly outcome: 'done' | 'refused';
    readonly detail: string;
    readonly by: By;
  }): Promise<void>;
  /** Newest first. */
  listRecords(
    asked: PageAsked & { readonly object?: string; readonly actor?: string },
  ): Promise<Page<AuditRecord>>;
  head(): Promise<{ readonly seq: number; readonly hash: string }>;
  verifyAudit(): Promise<AuditReport>;
}
