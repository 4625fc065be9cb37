import { oneOf, Type } from '@writ/contract';

/** Query of every list. */
export const PAGE_QUERY = {
  limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,2}$' })),
  cursor: Type.Optional(Type.String({ maxLength: 200 })),
};
export const FLAG = Type.Optional(oneOf('1', '0'));
export const WHOLE_TEXT = Type.String({ pattern: '^(0|[1-9][0-9]{0,14})$' });

export interface PageQuery {
  readonly limit?: string;
  readonly cursor?: string;
}

const USUAL = 50;
const MOST = 500;

export const pageOf = ({ limit, cursor }: PageQuery): { after: string | null; limit: number } => ({
  after: cursor ?? null,
  limit: Math.min(MOST, limit === undefined ? USUAL : Number(limit)),
});

export const when = (instant: number): string => new Date(instant).toISOString();
export const whenOrNull = (instant: number | null): string | null =>
  instant === null ? null : when(instant);
