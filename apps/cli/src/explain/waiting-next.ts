/** What starts a job that no agent fits, by why the first of them does not. */
export const REFUSAL_NEXT: Readonly<Record<string, string>> = {
  'machine.queue': 'An agent joins that serves its queue: writ invite --queue QUEUE.',
  'machine.label': 'An agent joins with that label: writ invite --label LABEL.',
  'machine.not_named': 'The agent that it names connects.',
  'machine.excluded': 'An agent joins that it does not exclude: writ invite.',
  'machine.fact': 'An agent joins on such a machine: writ invite.',
  'machine.platform': 'An agent joins on a system that it has a variant for: writ invite.',
  'machine.resources':
    'An agent joins on a larger machine, or one whose owner counts it: writ join … --counter NAME=NUMBER.',
  'machine.profile': 'An agent joins that offers this isolation: bubblewrap is to be installed there.',
  'machine.network':
    "The owner of a machine lets jobs use the network: “network”: “asked” in the agent's machine.json.",
};
