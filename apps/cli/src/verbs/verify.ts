import { readFile } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { PeopleFolder } from '@writ/client/node';
import { startDigest } from '@writ/trust/digest';
import { TrustError, type VerifiedBundle, verifyBundle } from '@writ/trust';
import { CliError } from '../cli-error.ts';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { instantText } from '../show/instant-text.ts';
import { textOption } from '../read/read-options.ts';
import { whyUnread } from '../read/why-unread.ts';
import { printable, shellWords } from '../show/printable.ts';

/** Offline: looks at the file, at the cluster ids known here, and at nothing else. */
export async function verify(call: Call): Promise<number> {
  const { args, options, output, surroundings } = call;
  const [name = ''] = args;
  const given = await readBundleFile(path.resolve(surroundings.cwd, name));
  const bundle = judge(given, await knownClusters(call));
  const compared = await compareFiles(call, bundle, textOption(options, 'files'));
  const { order } = bundle;
  const command = order.order.runs.is === 'command' ? (order.order.runs.variants[0]?.command.argv ?? []) : [];
  const value = {
    verified: bundle.isAnchored,
    isAnchored: bundle.isAnchored,
    cluster: bundle.cluster,
    job: order.order.job,
    digest: order.digest,
    orderedBy: order.person.name,
    command,
    filesCompared: compared,
    receipts: bundle.receipts.map(({ predicate, digest, agent, isCountersigned }) => ({
      index: predicate.index,
      attempt: predicate.attempt,
      kind: predicate.kind,
      because: predicate.because,
      exit: predicate.exit,
      agent: agent.name,
      identity: agent.identity,
      receipt: digest,
      ended: instantText(predicate.ended),
      isCountersigned,
    })),
  };
  output.answer({
    value,
    ids: bundle.isAnchored ? [order.order.job] : [],
    head: ['task', 'kind', 'because', 'agent', 'ended', 'receipt'],
    rows: value.receipts.map((receipt) => [
      String(receipt.index),
      receipt.kind,
      receipt.because,
      receipt.agent,
      receipt.ended,
      receipt.receipt,
    ]),
    text: textOf(bundle, command, compared),
  });
  if (bundle.isAnchored) return EXIT.ok;
  const named = textOption(options, 'cluster');
  if (named !== undefined) {
    throw new CliError(
      'verify.failed',
      `The bundle is of cluster ${bundle.cluster}, not of ${named}.`,
      'Do not use what the bundle is about, unless --cluster was mistyped.',
    );
  }
  throw new CliError(
    'verify.anchor_unknown',
    `Consistent, but this cluster is unknown here: ${bundle.cluster}. Anybody can make up a cluster, with keys and all.`,
    'If you know the cluster id from elsewhere: writ verify FILE --cluster ID',
  );
}

async function knownClusters({ options, surroundings }: Call): Promise<string[]> {
  const named = textOption(options, 'cluster');
  if (named !== undefined) return [named];
  const { contexts } = await new PeopleFolder(surroundings.settings.configFolder).readContexts();
  return contexts.map(({ cluster }) => cluster);
}

async function readBundleFile(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CliError(
      error.code === 'ENOENT' ? 'selector.none' : 'verify.failed',
      `${file} cannot be read: ${whyUnread(error)}.`,
      'A bundle is what writ get writes: writ verify 7f3k….writ.json',
      { cause: error },
    );
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError(
      'verify.failed',
      `${file} is not a bundle: it is not JSON.`,
      'A bundle is what writ get writes.',
      { cause: error },
    );
  }
}

function judge(given: unknown, anchors: readonly string[]): VerifiedBundle {
  try {
    return verifyBundle(given, anchors);
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    throw new CliError(
      'verify.failed',
      `The check ${error.code} failed: ${error.message}.`,
      'Do not use what the bundle is about.',
      { cause: error },
    );
  }
}

/** @returns how many files were compared. */
async function compareFiles(
  { surroundings }: Call,
  { receipts, order }: VerifiedBundle,
  folder: string | undefined,
): Promise<number> {
  if (folder === undefined) return 0;
  const isArray = order.order.array.is !== 'one';
  let compared = 0;
  for (const { predicate } of receipts) {
    for (const file of predicate.outputs) {
      const place = path.resolve(
        surroundings.cwd,
        folder,
        ...(isArray ? [String(predicate.index)] : []),
        file.path,
      );
      const digest = startDigest();
      try {
        for await (const chunk of createReadStream(place)) digest.update(chunk as Buffer);
      } catch (error) {
        throw new CliError(
          'verify.failed',
          `The check output.present failed: ${place} cannot be read.`,
          undefined,
          { cause: error },
        );
      }
      if (digest.digest() !== file.digest) {
        throw new CliError(
          'verify.failed',
          `The check output.digest failed: ${place} is not what the agent signed.`,
          'Do not use this file.',
        );
      }
      compared += 1;
    }
  }
  return compared;
}

function textOf(bundle: VerifiedBundle, command: readonly string[], compared: number): string {
  const { order, receipts } = bundle;
  const mark = bundle.isAnchored ? '✓' : '·';
  const lines = [
    `${mark} ordered by ${order.person.name}, ${instantText(order.order.issued)} by the clock of ${order.person.name}: ${shellWords(command)}`,
    ...receipts.map(({ predicate, agent }) => {
      const exit =
        predicate.exit === null
          ? ''
          : 'code' in predicate.exit
            ? ` with ${predicate.exit.code}`
            : ` by ${predicate.exit.signal}`;
      return `${mark} task ${predicate.index}: ${predicate.kind} (${predicate.because}${exit}) on ${agent.name}, ${instantText(predicate.ended)} by the clock of ${agent.name}`;
    }),
  ];
  if (compared > 0) lines.push(`${mark} ${compared} output files are what was signed`);
  lines.push(`  cluster ${bundle.cluster}, signer set version ${bundle.set.version}`);
  lines.push("  It rests on the agents' own clocks and machines: one run of each task, not the only one.");
  return lines.map((line) => printable(line)).join('\n');
}
