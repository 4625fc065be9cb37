import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { check, oneOf, shape, type Static, Type } from '@writ/contract';
import { CliError } from '../cli-error.ts';
import type { Call } from '../command-spec.ts';
import { whyUnread } from '../read/why-unread.ts';

const VariantFile = shape({
  os: Type.Optional(oneOf('linux', 'darwin', 'win32')),
  arch: Type.Optional(oneOf('x64', 'arm64')),
  command: Type.Array(Type.String(), { minItems: 1 }),
  in: Type.Optional(Type.Array(Type.String({ minLength: 1 }))),
  /** Values by name. */
  env: Type.Optional(Type.Object({}, { additionalProperties: Type.String() })),
});
export type VariantFile = Omit<Static<typeof VariantFile>, 'env'> & {
  readonly env?: Readonly<Record<string, string>>;
};
const variantsCheck = check(Type.Array(VariantFile, { minItems: 1, maxItems: 16 }));
const LIKE_THIS =
  'Write [{"os":"linux","arch":"x64","command":["./tool"],"in":["tool"]}, …]; see docs/scheduling.md.';

/** `--variants FILE`: several ways to do the same, of which each agent takes the first that fits its system. */
export async function readVariants(
  { surroundings }: Call,
  file: string | undefined,
): Promise<readonly VariantFile[] | null> {
  if (file === undefined) return null;
  const refuse = (why: string, cause?: unknown): CliError =>
    new CliError('usage.option', `--variants ${file}: ${why}.`, LIKE_THIS, { cause });
  const text = await readFile(path.resolve(surroundings.cwd, file), 'utf8').catch(
    (error: NodeJS.ErrnoException) => {
      throw refuse(whyUnread(error), error);
    },
  );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refuse('it is not JSON', error);
  }
  if (variantsCheck.is(value)) return value as readonly VariantFile[];
  const [fault] = variantsCheck.faults(value);
  throw refuse(`${fault?.pointer ?? ''} ${fault?.detail ?? 'it has another shape'}`.trim());
}
