const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What holds when nobody says anything. Bytes and seconds. */
export const DEFAULTS = {
  peoplePort: 7410,
  agentPort: 7411,
  queue: 'default',
  project: 'default',
  /** The least isolation that an order asks for. An agent gives the most that it measured. */
  profile: 'user',
  maxAttempts: 3,
  leaseSeconds: 30,
  runNotAfterSeconds: DAY,
  submitNotAfterSeconds: 7 * DAY,
  timeLimitSeconds: HOUR,
  memoryBytes: GIB,
  pids: 256,
  diskBytes: 256 * MIB,
  outputBytes: GIB,
  logBytes: 256 * MIB,
  cancelGraceSeconds: 10,
  inviteSeconds: 15 * MINUTE,
  agentLeafSeconds: DAY,
  serverLeafSeconds: 30 * DAY,
  freshnessSeconds: 30 * DAY,
  /** How long jobs are kept after their end. */
  retentionSeconds: 30 * DAY,
} as const;

/** What no order, set or configuration can exceed. */
export const BOUNDS = {
  orderBytes: 256 * KIB,
  receiptBytes: 4 * MIB,
  documentBytes: MIB,
  /** The longest time an order may be startable (R-F6: what an agent must remember). */
  orderSeconds: 31 * DAY,
  inlineInputs: 256,
  /** Each is a mount of its own, and each takes longer than the one before; a sandbox takes 3,000 of anything at most. */
  inputFiles: 1024,
  /** With the rest of an order it is a line that a launcher reads. */
  inputListBytes: 640 * KIB,
  arraySize: 1_000_000,
  inlineLogBytes: 32 * KIB,
  /** Tasks that an agent may ask for beyond those that it holds: 512 slots, each with eight tasks before it. */
  credits: 4096,
  /** What it may hold: as many again as it may ask for, because what has ended is told after what is wanted. */
  heldTasks: 8192,
  clockToleranceSeconds: 5 * MINUTE,
} as const;
