import type { RefusalCode } from '@writ/contract';

export interface Explanation {
  /** What happened. */
  readonly what: string;
  readonly why: string;
  /** What to do next. Always the program's own words: the other side suggests no commands. */
  readonly next: string;
}

const signAgain = 'Run the same command again: it signs a new order.';
const reportServer = 'Do not trust this server until you know why; look at its machine.';

/** Why an agent refused to start an order. */
export const REFUSALS: Record<RefusalCode, Explanation> = {
  'lease.not_mine': {
    what: 'An agent was handed work meant for another.',
    why: 'The lease names another identity key.',
    next: 'The server mixed up its agents: restart it, and look at its log.',
  },
  'lease.order_mismatch': {
    what: 'An agent was handed a lease and an order that do not belong together.',
    why: 'The digest in the lease is not that of the order.',
    next: reportServer,
  },
  'lease.stale': {
    what: 'An agent was handed an old lease.',
    why: 'Its token is lower than one seen before for the same task.',
    next: 'Nothing is lost: the task goes to whoever holds the newer lease.',
  },
  'order.envelope_bad': {
    what: 'The order arrived broken.',
    why: 'Its envelope cannot be read.',
    next: signAgain,
  },
  'order.type_wrong': {
    what: 'What arrived is not an order.',
    why: 'The envelope says that it holds something else.',
    next: reportServer,
  },
  'order.cluster_other': {
    what: 'The order is for another cluster.',
    why: 'It names another cluster id than the agent was joined to.',
    next: 'Look which context is in use: writ context list.',
  },
  'order.format_unknown': {
    what: 'The agent does not know this format of orders.',
    why: 'The program that signed it is newer than the agent.',
    next: 'Install the newer version on the agent.',
  },
  'order.malformed': {
    what: 'The agent cannot read the order.',
    why: 'A field is missing, unknown or out of range.',
    next: 'Are agent and program of the same version? Compare: writ agent list.',
  },
  'order.signer_unknown': {
    what: 'The order is signed by nobody the agent knows.',
    why: 'The key is not in the signer set that the agent holds.',
    next: 'Sign with a key of the cluster: writ context list shows yours.',
  },
  'order.key_compromised': {
    what: 'The key that signed is marked as compromised.',
    why: 'Somebody who may change the signer set ended it.',
    next: 'Sign with another key.',
  },
  'order.key_retired': {
    what: 'The key that signed is retired.',
    why: 'The order was signed after its retirement.',
    next: 'Sign with the key that replaced it.',
  },
  'order.key_expired': {
    what: 'The key that signed has expired.',
    why: 'The signer set lists an end for it.',
    next: 'Sign with a key that is still in time.',
  },
  'order.form_wrong': {
    what: 'The key signed in another form than the one listed.',
    why: 'One key has one form of signature.',
    next: 'Sign with the program that the key was made for.',
  },
  'order.signature_bad': {
    what: 'The signature does not fit the order.',
    why: 'The bytes were changed after they were signed.',
    next: reportServer,
  },
  'order.signature_unexpected': {
    what: 'Somebody signed whom the order does not name.',
    why: 'Each signature must be by a key named inside.',
    next: signAgain,
  },
  'order.cosigner_missing': {
    what: 'A signature is missing.',
    why: 'The queue asks for the signatures of several persons.',
    next: 'Use another queue, or have it signed by those asked for.',
  },
  'order.set_fork': {
    what: 'Agent and signer hold two different signer sets of one version.',
    why: 'Somebody signed two versions with one number.',
    next: 'Stop changing the set; compare the versions of the people who may change it.',
  },
  'order.set_unknown': {
    what: 'The agent does not have the signer set that the order names.',
    why: 'The server did not hand it out.',
    next: 'Wait a moment and look again; if it stays, the server withholds it.',
  },
  'set.stale': {
    what: 'The agent has had no word from anybody who may change the signer set for too long.',
    why: 'Its signer set could be out of date, so it starts nothing.',
    next: 'Somebody who may change the set uses any writ command.',
  },
  'grant.order': {
    what: 'You may not submit orders.',
    why: 'The signer set gives you no grant for it.',
    next: 'Ask somebody who may change the signer set.',
  },
  'grant.queue': {
    what: 'You may not use this queue.',
    why: 'The signer set does not grant it to you.',
    next: 'Name another with --queue, or ask for the grant.',
  },
  'grant.project': {
    what: 'You may not use this project.',
    why: 'The signer set does not grant it to you.',
    next: 'Ask somebody who may change the signer set.',
  },
  'grant.profile': {
    what: 'You may not ask for so little isolation.',
    why: 'The signer set grants you a stricter profile only.',
    next: 'Ask for a stricter one with --profile.',
  },
  'grant.network': {
    what: 'You may not ask for network.',
    why: 'The signer set does not grant it to you.',
    next: 'Leave out --network, or ask for the grant.',
  },
  'grant.run_as': {
    what: 'You may not run as that account.',
    why: 'The signer set does not grant it to you.',
    next: 'Leave the account out, or ask for the grant.',
  },
  'grant.definition': {
    what: 'You may not run this definition, or no free commands.',
    why: 'The signer set limits you to certain definitions.',
    next: 'Run one of those, or ask for the grant.',
  },
  'grant.custody': {
    what: 'A key in the custody of a server or its pages may not sign this.',
    why: 'Such a key is worth what that server is worth.',
    next: 'Sign with the key on your own device.',
  },
  'order.not_yet': {
    what: 'The order may not start yet.',
    why: "It is too early on the agent's clock.",
    next: "Is the agent's clock right? It uses its own.",
  },
  'order.expired': {
    what: 'The order may not start any more.',
    why: "Its last moment to start is over on the agent's clock.",
    next: 'Submit again, with a later --not-after if need be.',
  },
  'order.too_long': {
    what: 'The order could be started for too long.',
    why: '31 days are the most.',
    next: 'Give a shorter --not-after.',
  },
  'order.purged': {
    what: 'The agent has forgotten what it started in the time of this order.',
    why: 'It could be a repetition, so it is refused for ever.',
    next: signAgain,
  },
  'order.before_witnessed': {
    what: 'The order belongs to a time that is over.',
    why: 'The agent has seen signatures that are newer.',
    next: 'Is the clock of this machine right? Then submit again.',
  },
  'machine.fact': {
    what: 'The machine is not of the kind asked for.',
    why: 'What the agent measured about itself differs from the order.',
    next: 'Look which agents fit: writ agent list.',
  },
  'machine.label': {
    what: 'The agent does not have a label asked for.',
    why: 'Only the labels it was admitted with count.',
    next: 'Look at the labels with writ agent list; a machine gets labels when it is invited.',
  },
  'machine.not_named': {
    what: 'The order names other agents.',
    why: 'The server handed it to one that is not named.',
    next: 'It waits for the agents named: are they connected? writ agent list.',
  },
  'machine.excluded': {
    what: 'The order excludes this agent.',
    why: 'By its key, or by the way in which it was admitted.',
    next: 'Other agents may take it: writ agent list.',
  },
  'machine.profile': {
    what: 'The machine cannot isolate the job as strictly as ordered.',
    why: 'The profile is not among those measured and offered there.',
    next: 'See what agents offer with writ agent list; install bubblewrap there, or order another --profile.',
  },
  'machine.network': {
    what: 'The machine gives jobs no network.',
    why: 'Its owner does not allow it.',
    next: 'Leave out --network, or choose another machine.',
  },
  'machine.platform': {
    what: 'The order has nothing for this kind of machine.',
    why: 'No variant fits its system and processor.',
    next: 'Choose a machine of the right kind.',
  },
  'machine.queue': {
    what: 'The agent does not serve this queue.',
    why: 'It was admitted for others.',
    next: 'Name another --queue, or admit the machine for it.',
  },
  'machine.resources': {
    what: 'The machine does not have what the order takes.',
    why: 'It has fewer cores, less memory, or less of what its owner counts.',
    next: 'Ask for less (--cpus, --memory, --counter), or see what agents have: writ agent list.',
  },
  'agent.rejoined': {
    what: 'The machine has joined anew since.',
    why: 'The order names the identity it had before.',
    next: signAgain,
  },
  'owner.refuses': {
    what: 'The owner of the machine does not allow this.',
    why: 'The policy on the machine is narrower than the signer set.',
    next: 'Ask its owner, or choose another machine.',
  },
  'order.withdrawn': {
    what: 'The order was withdrawn.',
    why: 'Its submitter signed that it may not start any more.',
    next: 'Nothing to do; to run it after all, submit it again.',
  },
  'order.index_out_of_range': {
    what: 'The agent was handed a task that the order does not have.',
    why: 'The index is outside the array.',
    next: reportServer,
  },
  'replay.other_order': {
    what: 'The agent has seen another order under this job id.',
    why: 'A job id belongs to one order for ever.',
    next: signAgain,
  },
  'replay.attempt_out_of_range': {
    what: 'The agent was handed more attempts than ordered.',
    why: 'The number of attempts is part of the order.',
    next: 'Submit again, with more --attempts if need be.',
  },
  'replay.attempt_used': {
    what: 'The agent has started this attempt before.',
    why: 'No attempt starts twice on one agent.',
    next: 'Another attempt may follow; else submit again.',
  },
  'replay.succeeded': {
    what: 'The task has succeeded on this agent before.',
    why: 'What succeeded is never started again there.',
    next: 'Its result stands: writ get.',
  },
  'replay.running': {
    what: 'The task is still running on this agent.',
    why: 'It is not started beside itself.',
    next: 'Wait for it: writ wait.',
  },
  'input.unavailable': {
    what: 'The agent did not get an input.',
    why: 'The server did not have it, or the link was lost.',
    next: 'Submit again: inputs that are missing are sent again.',
  },
  'input.digest_wrong': {
    what: 'An input is not what was ordered.',
    why: 'The bytes that the server handed out have another digest.',
    next: reportServer,
  },
  'input.malformed': {
    what: 'The list of inputs cannot be used.',
    why: 'Paths are doubled or below one another, or there are too many.',
    next: 'Name the inputs anew with --in; pack many small ones into an archive.',
  },
  'secret.unavailable': {
    what: 'The agent did not get a secret.',
    why: 'This version does not deliver secrets, or there is none of that name.',
    next: 'Leave it out.',
  },
  'definition.unavailable': {
    what: 'The agent did not get the definition.',
    why: 'This version does not run definitions, or the server withholds it.',
    next: 'Order the command itself.',
  },
  'replay.not_durable': {
    what: 'The agent could not record the start.',
    why: 'Its disk is full or broken; nothing starts unrecorded.',
    next: "Make room on the agent's machine.",
  },
};
