import { CliError } from '../cli-error.ts';
import type { Options } from '../command-spec.ts';
import type { Surroundings } from '../surroundings.ts';

export const mayAsk = ({ stdin, stderr, settings }: Surroundings, options: Options): boolean =>
  stdin.isTTY === true && stderr.isTTY === true && options['input'] !== false && !settings.isInputOff;

/** Asks whether to go on; `--yes` says so beforehand. @throws CliError when it may not ask */
export async function confirm(
  surroundings: Surroundings,
  options: Options,
  question: string,
  /** Takes the question back: the answer is no. */
  signal?: AbortSignal,
): Promise<boolean> {
  if (options['yes'] === true) return true;
  if (!mayAsk(surroundings, options)) {
    throw new CliError(
      'usage.input_needed',
      `${question} There is nobody to ask.`,
      'Add --yes if you mean it.',
    );
  }
  const { confirm: ask, isCancel } = await import('@clack/prompts');
  const answer = await ask({
    message: question,
    initialValue: false,
    output: surroundings.stderr,
    ...(signal && { signal }),
  });
  return !isCancel(answer) && answer;
}

export async function askText(
  surroundings: Surroundings,
  options: Options,
  question: string,
  hint: string,
): Promise<string> {
  if (!mayAsk(surroundings, options)) throw new CliError('usage.argument', `${question} is missing.`, hint);
  const { password, isCancel } = await import('@clack/prompts');
  const answer = await password({ message: question, output: surroundings.stderr });
  if (isCancel(answer)) throw new CliError('interrupted', 'Nothing was done.');
  return answer;
}

/** All of stdin, as one text. */
export async function readStdin({ stdin }: Surroundings, most = 1024 * 1024): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk as Uint8Array);
    size += bytes.length;
    if (size > most) throw new CliError('usage.argument', 'More was given on stdin than this command takes.');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
