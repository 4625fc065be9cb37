/** How a program ends. `run` and `wait` end with the job's own code instead, or with 125 for everything that is Writ's. */
export const EXIT = {
  ok: 0,
  error: 1,
  usage: 2,
  notFound: 3,
  notAllowed: 4,
  timedOut: 5,
  unreachable: 6,
  recordLost: 7,
  writ: 125,
  interrupted: 130,
} as const;
