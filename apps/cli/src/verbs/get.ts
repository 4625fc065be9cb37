import { chmod, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { readResults, type VerifiedResult } from '@writ/client';
import { writeOutputs } from '@writ/client/node';
import type { Bundle, Envelope } from '@writ/contract';
import { allSets, makeReceived, setRef } from '@writ/trust';
import { makeFolder } from '@writ/trust/node';
import { CliError } from '../cli-error.ts';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { noResult, openJob } from '../job/finish-job.ts';
import { taskResult } from '../job/result-document.ts';
import { isGiven, textOption } from '../read/read-options.ts';
import { requireTasks } from '../read/read-tasks.ts';
import { resolveJob } from '../read/resolve-job.ts';
import { openSession, type Session } from '../session/open-session.ts';

/** Verified outputs under their names, and one file that proves them. */
export async function get(call: Call): Promise<number> {
  const { options, output, surroundings, args } = call;
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  const { job, tasks } = await resolveJob(session, args[0], args[1]);
  const stop = new AbortController();
  using _interrupts = surroundings.onInterrupt(() => stop.abort());
  const verified = await openJob(session, job);
  requireTasks(job, verified.order.order.array, tasks);
  const results: VerifiedResult[] = [];
  for await (const result of readResults(session.client, verified)) {
    if (tasks === null || tasks.includes(result.index)) results.push(result);
  }
  results.sort((a, b) => a.index - b.index);
  if (results.length === 0) {
    const view = await session.client.readJob(job);
    throw view.ended === null
      ? new CliError('job.unfinished', `Job ${job} has no result yet.`, `writ wait ${job}`)
      : noResult(view, tasks?.length ?? view.tasks);
  }
  const folder = path.resolve(surroundings.cwd, textOption(options, 'dir') ?? '.');
  const isArray = verified.order.order.array.is !== 'one';
  const files: string[] = [];
  for (const { index, predicate } of isGiven(options, 'bundleOnly') ? [] : results) {
    if (predicate.outputs.length === 0) continue;
    const target = isArray ? path.join(folder, String(index)) : folder;
    const tag = `${job}-${index}-${surroundings.pid}`;
    files.push(
      ...(await writeOutputs(session.client, predicate.outputs, target, {
        signal: stop.signal,
        wait: surroundings.wait,
        umask: surroundings.umask,
        tag,
      })),
    );
  }
  const bundleFile = path.join(folder, `${job}.writ.json`);
  await writeBundle(
    bundleFile,
    await makeBundle(session, verified.envelope, results, surroundings.now()),
    surroundings.umask,
  );
  const shown = (file: string): string => path.relative(surroundings.cwd, file) || file;
  output.answer({
    value: {
      job,
      digest: verified.order.digest,
      verified: true,
      bundle: shown(bundleFile),
      files: files.map(shown),
      tasks: results.map(taskResult),
    },
    ids: [...files, bundleFile].map(shown),
    head: ['file'],
    rows: [...files, bundleFile].map((file) => [shown(file)]),
  });
  output.note(
    `${results.length === 1 ? 'receipt' : `${results.length} receipts`} verified · check again, anywhere: writ verify ${shown(bundleFile)}`,
  );
  return EXIT.ok;
}

async function makeBundle(
  session: Session,
  order: Envelope,
  results: readonly VerifiedResult[],
  now: number,
): Promise<Bundle> {
  const { sets, context } = session;
  const admissions = new Map(
    results.map(({ admission }) => [
      admission.admitted.digest,
      { admission: admission.admission, invite: admission.invite },
    ]),
  );
  const key = context.person === null ? undefined : await session.people.readKey(context.person);
  return {
    bundle: 1,
    cluster: sets.cluster,
    order,
    definition: null,
    sets: allSets(sets),
    admissions: [...admissions.values()],
    receipts: results.map(({ envelope, digest }) => ({
      receipt: envelope,
      received: key
        ? makeReceived(
            { cluster: sets.cluster, receipt: digest, set: setRef(sets.newest), person: key.person, now },
            key.signer,
          ).envelope
        : null,
    })),
  };
}

async function writeBundle(file: string, bundle: Bundle, umask: number): Promise<void> {
  const folder = path.dirname(file);
  if (await makeFolder(folder)) await chmod(folder, 0o777 & ~umask);
  const temporary = `${file}.new`;
  await writeFile(temporary, `${JSON.stringify(bundle)}\n`);
  await chmod(temporary, 0o666 & ~umask);
  await rename(temporary, file);
}
