/** Who does it, from where, and when. */
export interface By {
  readonly actor: string;
  readonly source: string;
  readonly now: number;
}
