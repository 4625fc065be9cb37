import { at, claim, digest, leasesOf, newJob, receipt } from '../../conformance/samples.ts';
import { openStore } from '../../open-store.ts';
import { submitJob } from '../../jobs/submit-job.ts';
import { writeInGroups } from '../../write-in-groups.ts';
import { openSqlite } from '../open-sqlite.ts';
import { sqliteWords } from '../sqlite-words.ts';

/** A process that its parent kills. It says on its standard output what it has been told is durable. */
const [, , file = '', moment = ''] = process.argv;
const say = (line: string): boolean => process.stdout.write(`${line}\n`);
const letters = (n: number): string => [...String(n)].map((figure) => 'cdefghijkl'[Number(figure)]).join('');

if (moment === 'before commit') {
  const writer = writeInGroups(openSqlite(file, 'write'), sqliteWords, () => say('acknowledged'));
  await writer.write(async (write) => {
    await submitJob(write, newJob('begun', { size: 5 }), at(10));
    say('begun');
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  });
} else {
  const store = await openStore({ file });
  for (let n = 0; ; n += 1) {
    const job = newJob(`b${letters(n)}b`, { size: 3 });
    await store.jobs.submit(job, at(10));
    say(`submitted ${job.id}`);
    const [lease] = leasesOf(await claim(store, 'one', 1, 11));
    if (!lease) continue;
    const done = receipt('one', lease, { digest: digest(`receipt ${lease.job}.${lease.index}`) });
    const [answer] = await store.leases.accept([done], at(12));
    if (answer?.is === 'accepted') say(`accepted ${lease.job} ${lease.index}`);
  }
}
