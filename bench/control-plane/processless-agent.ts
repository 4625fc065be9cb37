// An agent that starts nothing: it answers each lease at once with receipts that it signs.
//   processless-agent.ts FOLDER PEOPLE SOCKET PORT NAME
// FOLDER: by which its process is known. PEOPLE: folder of the person who admits it. SOCKET: the administrator's.
// On each line of stdin: for how many more tasks it may ask.
import process from 'node:process';
import { createInterface } from 'node:readline';
import { connect } from '@writ/client';
import { fetchOverSocket, PeopleFolder } from '@writ/client/node';
import type { FromServer } from '@writ/contract';
import { signAdmission } from '../../testkit/src/sign-admission.ts';
import { makeAgent } from '../../testkit/src/test-agent.ts';

const [, people = '', socket = '', port = '', name = ''] = process.argv.slice(2);
/** As many as it may ask for before it has had any. */
const WINDOW = 4000;

const folder = new PeopleFolder(people);
const { current, contexts } = await folder.readContexts();
const context = contexts.find((one) => one.name === current);
const sets = context && (await folder.readSets(context.cluster));
if (context?.person == null || !sets) throw new Error(`${people} is not the folder of a person of a cluster`);
const key = await folder.readKey(context.person);
const person = { id: key.person, signer: key.signer };
const opened = fetchOverSocket(socket);
const client = connect({ url: 'http://writ', fetch: opened.fetch });

const agent = await makeAgent(
  {
    sets,
    person,
    agentPort: Number(port),
    async admit(admitted, identity) {
      const { envelope, digest } = signAdmission(sets, person, identity, { name: admitted });
      await client.makeAdmission(envelope);
      return digest;
    },
  },
  name,
  { description: { slots: 512 }, hear },
);
await agent.connect({ credits: 0 });

let mayAskFor = 0;
let asked = 0;

function ask(): void {
  const more = Math.min(mayAskFor, WINDOW - asked);
  if (more < 1) return;
  mayAskFor -= more;
  asked += more;
  agent.send({ is: 'credits', more });
}

function hear(message: FromServer): void {
  switch (message.is) {
    case 'lease': {
      const { job, order } = message;
      asked -= message.tasks.length;
      const receipts = message.tasks.map((task) => ({
        envelope: agent.receipt({ job, order, ...task }),
        stdout: null,
        stderr: null,
      }));
      while (receipts.length > 0) agent.send({ is: 'receipts', receipts: receipts.splice(0, 500) });
      return ask();
    }
    case 'welcome':
      return void process.stdout.write(`${agent.identity.key}\n`);
    case 'ping':
      return agent.send({ is: 'pong', n: message.n });
    case 'accepted':
      if (message.refused.length > 0) fail(`receipts were refused: ${message.refused[0]?.code}`);
      return;
    case 'close':
    case 'renewed':
    case 'recall':
    case 'cancel':
      return fail(`the server says ${JSON.stringify(message)}`);
    case 'order':
    case 'withdraw':
    case 'set':
    case 'freshness':
    case 'drain':
      return;
  }
}

function fail(why: string): void {
  process.stderr.write(`${why}\n`);
  process.exit(1);
}

for await (const line of createInterface({ input: process.stdin })) {
  mayAskFor += Number(line);
  ask();
}
await agent.close();
await opened.close();
