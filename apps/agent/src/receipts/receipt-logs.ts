/** What travels with a receipt. */
export interface ReceiptLogs {
  /** Base64 of a short log; null: it was sent apart. */
  readonly stdout: string | null;
  readonly stderr: string | null;
}
