/** How the agent's program ends. */
export const AGENT_EXIT = {
  over: 0,
  failed: 1,
  /** Its disk did not take what it recorded: `record.lost`. Started again it goes on from what is on the disk. */
  recordLost: 7,
} as const;
