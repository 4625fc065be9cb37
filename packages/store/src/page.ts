/** `after` is the `next` of the page before; null for the first page. */
export interface PageAsked {
  readonly after: string | null;
  readonly limit: number;
}
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}
