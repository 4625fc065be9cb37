export { AgentError, type AgentErrorCode } from './agent-error.ts';
export { type RunningAgent, start, type StartOptions } from './compose.ts';
export {
  defaultMachine,
  joinCluster,
  type Joined,
  type JoinWish,
  type MachineFile,
  prepareAgent,
  type PrepareWish,
  readMachineFile,
  writeMachineFile,
} from './join/compose.ts';
