const doubt = 'Do not trust this server until you know why.';
const versions = 'Are both sides of the same version? Install the newer one on the other.';

/** Codes that say precisely which check refused, and come with words of their own: by their beginning, what they have in common. */
export const CODE_FAMILIES: Record<string, { readonly what: string; readonly next: string }> = {
  admission: {
    what: 'The word by which somebody let an agent in does not hold.',
    next: `${doubt} To let the machine in again: writ invite.`,
  },
  agent: {
    what: 'The folder of an agent is not whole.',
    next: 'Remove the folder, and join again: writ join.',
  },
  authority: {
    what: 'The authority of the cluster is not where its server keeps it, or cannot be opened.',
    next: 'Put the folder “authority” and the file “authority-secret” back from a backup, with mode 600; none is made anew.',
  },
  certificate: {
    what: 'The certificate of the other side of a connection does not hold.',
    next: 'Are the clocks of both machines right? If so, do not trust the other side until you know why.',
  },
  config: { what: 'A file of settings cannot be used.', next: 'Correct what is named.' },
  description: {
    what: 'What an agent says about its machine is not its own word.',
    next: 'Start the agent anew. If it stays so, look at its machine.',
  },
  enrol: { what: 'A machine that joins, or asks for a certificate, is not understood.', next: versions },
  envelope: { what: 'Something signed cannot be read, or its signature does not fit.', next: doubt },
  file: {
    what: 'A file could not be fetched or kept.',
    next: 'The task goes to another agent or is tried again.',
  },
  invite: { what: 'An invite does not count.', next: 'Make a new one: writ invite.' },
  isolate: {
    what: 'The part of an agent that starts jobs does not answer.',
    next: 'The agent starts it anew; if it stays so, look at its log.',
  },
  launcher: {
    what: 'The part of an agent that starts jobs cannot do it.',
    next: 'Correct what is named, and start the agent anew.',
  },
  leaf: { what: 'A certificate cannot be read.', next: 'Start the agent anew: it asks for another one.' },
  lease: {
    what: 'An agent goes on with a task that is not its own any more.',
    next: 'Nothing is lost: the task goes to whoever holds the newer lease.',
  },
  link: {
    what: 'A connection between agent and server was ended.',
    next: 'The agent connects again by itself; nothing is lost.',
  },
  listen: {
    what: 'An address or port cannot be opened.',
    next: 'Name another one: writ up --host, --port, --agent-port.',
  },
  options: { what: 'A program was started with options that it cannot use.', next: 'Correct what is named.' },
  outputs: {
    what: 'What a job left as outputs is not taken.',
    next: 'Let the job write plain files, fewer or smaller ones, with usual names.',
  },
  receipt: { what: 'A receipt does not hold.', next: `Do not use what it returned. ${doubt}` },
  received: { what: 'A confirmation that a receipt was seen does not hold.', next: doubt },
  record: {
    what: 'An agent cannot write down what it does, so it starts nothing.',
    next: 'Make room on its disk, or repair it.',
  },
  request: {
    what: 'The request of an agent for a certificate is refused.',
    next: 'Was its folder copied to another machine, or put back from a copy? Join again with a new invite: writ invite.',
  },
  set: {
    what: 'A signer set does not follow from the one that is known.',
    next: `${doubt} Nothing was taken over.`,
  },
  signer: {
    what: 'A change of the signer set would make no sense, or leave nobody who could make the next one.',
    next: 'See who is in it: writ signer list.',
  },
  start: { what: 'A program cannot be started as it is to be.', next: 'Correct what is named.' },
  state: {
    what: 'A state folder cannot be used.',
    next: 'Does another server use it? Does it belong to this account?',
  },
  store: {
    what: 'The database cannot be used.',
    next: 'Is it reachable, is there room, and is the program as new as the one that made it?',
  },
  verify: { what: 'A bundle does not prove what it is to prove.', next: 'Do not use what it returned.' },
  withdrawal: { what: 'The word by which somebody takes an order back does not hold.', next: doubt },
};

export const familyOf = (code: string): (typeof CODE_FAMILIES)[string] | undefined =>
  CODE_FAMILIES[code.split('.')[0] ?? ''];
