/** What is known of the tasks while they run. */
export interface AgentProgress {
  readonly name: string;
  readonly done: number;
  /** The strip it draws now, and how much of it in thousandths. */
  readonly strip: { readonly index: number; readonly thousandths: number } | undefined;
}

export interface Display {
  show(agents: readonly AgentProgress[], tasks: number): void;
}

const BAR = 30;

/** One line per agent, drawn over again and again. */
export function showBars(write: (text: string) => void): Display {
  let drawn = 0;
  return {
    show(agents, tasks) {
      const up = drawn > 0 ? `\x1b[${drawn}A` : '';
      const lines = agents.map((agent) => {
        const part = agent.strip ? agent.strip.thousandths / 1000 : 0;
        const full = Math.round(part * BAR);
        const bar = agent.strip ? `${'█'.repeat(full)}${'░'.repeat(BAR - full)}` : ' '.repeat(BAR);
        return `\x1b[2K  ${doneBy(agent)}   ${bar}  ${doing(agent)}\n`;
      });
      write(`${up}${lines.join('')}\x1b[2K  ${totalOf(agents, tasks)}\n`);
      drawn = agents.length + 1;
    },
  };
}

/** One line per agent and time, for a pipe or a file. */
export function showLines(write: (text: string) => void): Display {
  return {
    show(agents, tasks) {
      for (const agent of agents) write(`  ${doneBy(agent)} · ${doing(agent)} · ${totalOf(agents, tasks)}\n`);
    },
  };
}

const doneBy = (agent: AgentProgress): string => `${agent.name}  ${agent.done} done`;
const doing = ({ strip }: AgentProgress): string =>
  strip ? `strip ${strip.index} at ${String(Math.floor(strip.thousandths / 10)).padStart(2)} %` : 'free';
const totalOf = (agents: readonly AgentProgress[], tasks: number): string =>
  `${agents.reduce((sum, agent) => sum + agent.done, 0)} of ${tasks} strips`;
