import type { By } from '../by.ts';
import type { Page, PageAsked } from '../page.ts';

export type TokenRole = 'administrator' | 'member';
export interface NewToken {
  readonly id: string;
  readonly name: string;
  readonly role: TokenRole;
  readonly person: string | null;
  readonly expires: number;
}
export interface TokenRecord extends NewToken {
  readonly created: number;
  readonly lastUsed: number | null;
  readonly revoked: number | null;
}
export interface TokenStore {
  /** Only the hash of the token is kept. */
  addToken(token: NewToken, secret: Uint8Array, by: By): Promise<'added' | 'conflict'>;
  /** Null when unknown, expired or revoked. */
  findToken(secret: Uint8Array, now: number): Promise<TokenRecord | null>;
  markUsed(id: string, now: number): Promise<void>;
  listTokens(page: PageAsked): Promise<Page<TokenRecord>>;
  revokeToken(id: string, by: By): Promise<boolean>;
}
