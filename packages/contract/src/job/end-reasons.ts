/** Why an attempt ended that was allowed to start. */
export const END_REASONS = [
  'exit',
  'signal',
  'cancelled',
  'time_limit',
  'cpu_limit',
  'memory_limit',
  'pid_limit',
  'disk_limit',
  'output_limit',
  'log_limit',
  'input_missing',
  'output_missing',
  'sandbox',
  'lost',
] as const;
export type EndReason = (typeof END_REASONS)[number];
