import { digestOf } from '@writ/trust/digest';
import { ClientError } from './client-error.ts';
import type { Client } from './connect.ts';
import type { VerifiedResult } from './verify-results.ts';

/**
 * The whole of what a task wrote, as its agent signed it. For logs that fit into memory: an order bounds them.
 *
 * @throws {@link ClientError} `log.digest_wrong` when the server's copy is another, or longer or shorter
 *
 * @example
 * ```ts
 * const bytes = await readVerifiedLog(client, job, result, 'stdout');
 * console.log(new TextDecoder().decode(bytes));
 * ```
 */
export async function readVerifiedLog(
  client: Client,
  job: string,
  { index, predicate }: VerifiedResult,
  stream: 'stdout' | 'stderr',
): Promise<Uint8Array> {
  const signed = predicate[stream];
  const bytes = new Uint8Array(signed.size);
  let size = 0;
  if (signed.size > 0) {
    const { body } = await client.readLog(job, index, stream, { attempt: predicate.attempt });
    for await (const chunk of body ?? []) {
      if (size + chunk.length > signed.size) throw wrong(job, index, stream);
      bytes.set(chunk, size);
      size += chunk.length;
    }
  }
  if (size !== signed.size || digestOf(bytes) !== signed.digest) throw wrong(job, index, stream);
  return bytes;
}

const wrong = (job: string, index: number, stream: string): ClientError =>
  new ClientError(
    'log.digest_wrong',
    `What the server shows as ${stream} of task ${job}.${index} is not what the agent signed.`,
  );
