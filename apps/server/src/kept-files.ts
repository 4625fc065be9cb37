/** In how many parts the files of a server can be listed. */
export const FILE_PARTS = 16;

/** Bytes on this server's disk, each file named by its own digest. Who may name or fetch one is the store's business. */
export interface KeptFiles {
  /** Size of a file that is wholly here. */
  sizeOf(digest: string): Promise<number | null>;
  /** Takes a whole file from one stream. What has another digest or size leaves nothing behind. */
  receive(
    digest: string,
    source: AsyncIterable<Uint8Array>,
    bounds: { readonly size?: number; readonly most: number },
  ): Promise<number>;
  /** Whether the bytes here have been compared with their digest since this server began, and not changed since. */
  isSound(digest: string): Promise<boolean>;
  /** How much of the owner's upload is here: nobody goes on with, or disturbs, the upload of somebody else. */
  uploadedOf(digest: string, owner: string): Promise<number>;
  /** Appends one chunk. `isWhole` when that made the file complete and it has its digest. */
  append(
    digest: string,
    chunk: Uint8Array,
    at: { readonly offset: number; readonly total: number; readonly owner: string },
  ): Promise<{ readonly offset: number; readonly isWhole: boolean }>;
  /** The bytes from `start` up to and including `end`. Whole files that turn out to be damaged are not sent to their end, and removed. */
  read(digest: string, range: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
  /** Unless its bytes came after `before`: then somebody brought them anew. @returns how many bytes went. */
  remove(digest: string, before: number): Promise<number>;
  /** Digests of all that is here, of one of {@link FILE_PARTS} parts. */
  listPart(part: number): AsyncIterable<string>;
}
