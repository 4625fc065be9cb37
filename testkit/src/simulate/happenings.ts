import type { Joined } from '../../../apps/agent/src/join/compose.ts';
import type { Watching } from './simulated-launcher.ts';
import type { Direction } from './wire.ts';

/** What happens in a run, told to whoever records it. */
export interface Happenings extends Watching {
  onMessage(agent: string, at: 'sent' | 'arrived', direction: Direction, line: string): void;
  onJoined(agent: string, joined: Joined): void;
  /** Something that must not happen, whatever was injected. */
  onFault(what: string): void;
  /** For the trace. */
  note(what: string): void;
  /** Whether an answer on its way is lost now. */
  losesAnswer(): boolean;
}
