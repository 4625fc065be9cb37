import type { EndReason } from '@writ/contract';
import type { Explanation } from './explain-refusal.ts';

/** Why a job that was allowed to start ended. */
export const ENDS: Record<EndReason, Explanation> = {
  exit: {
    what: 'The job ended by itself.',
    why: 'Its exit code is the one shown.',
    next: 'See what it wrote: writ logs.',
  },
  signal: {
    what: 'The job was ended by a signal.',
    why: 'It crashed, or something in its sandbox killed it.',
    next: 'See what it wrote: writ logs.',
  },
  cancelled: {
    what: 'The job was cancelled.',
    why: 'Somebody who may do so asked for it.',
    next: 'To run it after all, submit it again.',
  },
  time_limit: {
    what: 'The job ran into its time limit.',
    why: 'It was ended after the time that the order allows.',
    next: 'Give it more with --timeout.',
  },
  cpu_limit: {
    what: 'The job used up its processor time.',
    why: 'The order limits it.',
    next: 'Order more processor time.',
  },
  memory_limit: {
    what: 'The job ran out of memory.',
    why: 'It needed more than the order allows.',
    next: 'Give it more with --memory.',
  },
  pid_limit: {
    what: 'The job started too many processes.',
    why: 'It needed more than the order allows.',
    next: 'Give it more with --pids.',
  },
  disk_limit: {
    what: 'The job filled its disk.',
    why: 'It wrote more than the order allows.',
    next: 'Give it more with --disk.',
  },
  output_limit: {
    what: 'The outputs are too large.',
    why: 'They are larger than the order allows.',
    next: 'Name fewer with --out, or allow more with --out-limit.',
  },
  log_limit: {
    what: 'The job wrote too much to its log.',
    why: 'What goes to stdout and stderr is limited.',
    next: 'Let it write to a file, and name that with --out.',
  },
  input_missing: {
    what: 'An input was not there.',
    why: 'The agent could not fetch it.',
    next: 'Submit again: inputs that are missing are sent again.',
  },
  output_missing: {
    what: 'An output that must be there is not.',
    why: 'A pattern of --out matched nothing, and --out-required was asked for.',
    next: 'Compare the pattern with what the job writes: writ logs.',
  },
  sandbox: {
    what: 'The sandbox could not be made.',
    why: "Something on the agent's machine failed.",
    next: 'See its log; writ agent list shows what it measured.',
  },
  lost: {
    what: 'The agent vanished while the job ran.',
    why: 'Its lease ended without a word.',
    next: 'Is the machine up? writ agent list. Then submit again.',
  },
};
