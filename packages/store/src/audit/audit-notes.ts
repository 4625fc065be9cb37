import type { By } from '../by.ts';

export interface AuditNote {
  readonly time: number;
  readonly actor: string;
  readonly source: string;
  readonly action: string;
  readonly object: string;
  readonly outcome: 'done' | 'refused';
  readonly words: string;
  count: number;
  readonly ranges: [first: number, last: number][];
}

/** What a transaction has to say to the audit trail: one record for each (actor, action, object), however many changes it stands for. */
export class AuditNotes {
  readonly #notes = new Map<string, AuditNote>();
  /** Mostly the next change belongs to the same record. */
  #last: AuditNote | undefined;

  add(by: By, action: string, object: string, words = '', outcome: 'done' | 'refused' = 'done'): void {
    this.#note(by, action, object, words, outcome).count += 1;
  }

  /** A state change of the tasks `first … last`; `count` of them when not all. */
  addTasks(
    by: By,
    action: string,
    job: string,
    words: string,
    first: number,
    last = first,
    count = last - first + 1,
  ): void {
    const note = this.#note(by, action, job, words, 'done');
    note.count += count;
    const open = note.ranges.at(-1);
    if (open && open[1] + 1 === first) open[1] = last;
    else note.ranges.push([first, last]);
  }

  list(): readonly AuditNote[] {
    return [...this.#notes.values()];
  }

  #note(by: By, action: string, object: string, words: string, outcome: 'done' | 'refused'): AuditNote {
    const last = this.#last;
    if (
      last?.object === object &&
      last.action === action &&
      last.words === words &&
      last.outcome === outcome &&
      last.actor === by.actor &&
      last.source === by.source
    ) {
      return last;
    }
    const key = JSON.stringify([by.actor, by.source, action, object, outcome, words]);
    let note = this.#notes.get(key);
    if (!note) {
      note = {
        time: by.now,
        actor: by.actor,
        source: by.source,
        action,
        object,
        outcome,
        words,
        count: 0,
        ranges: [],
      };
      this.#notes.set(key, note);
    }
    this.#last = note;
    return note;
  }
}
