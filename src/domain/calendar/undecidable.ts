// What the first alarm before a cut-over records about the orgs in quarantine: how many, and the command that lists
// them. Never which. Pure.
import { type Advice, type CommandText, command, formatAdvice } from '../../kernel/advice.js';
import type { DueChange, DueInsert } from './due-work.js';

/** The undecidable orgs of the newest run in a cell. */
export type Undecidable =
  | { readonly kind: 'counted'; readonly orgs: number }
  /** The cell has had no run yet. */
  | { readonly kind: 'no_run' }
  /** Its cell cannot be read; `code` says why. */
  | { readonly kind: 'unreadable'; readonly code: string };

const listCommand = (dataCenter: string): CommandText => command`quarantine --dc ${dataCenter}`;

/** A stored note; with the command as data where it has one. */
export function readStoredNote(note: string, dataCenter: string): string | Advice {
  const list = listCommand(dataCenter);
  const [before = '', ...after] = note.split(formatAdvice([list]));
  return after.length === 0 ? note : [before, ...after.flatMap((text) => [list, text])];
}

/** Whether the row must record how many orgs are undecidable: people have two days left to correct them. */
export const asksForUndecidable = (change: DueChange): change is DueInsert =>
  change.kind === 'insert' && change.work === 'alarm_48h' && change.state !== 'missed';

/** The row with that count appended to its note. */
export const appendUndecidable = (row: DueInsert, dataCenter: string, undecidable: Undecidable): DueInsert => ({
  ...row,
  note: `${row.note ?? ''}; ${describe(dataCenter, undecidable)}`,
});

function describe(dataCenter: string, undecidable: Undecidable): string {
  const list = formatAdvice([listCommand(dataCenter)]);
  switch (undecidable.kind) {
    case 'no_run':
      return 'no run has checked for undecidable orgs yet';
    case 'unreadable':
      return `undecidable orgs were not counted, its cell cannot be read (${undecidable.code}): ${list}`;
    default:
      return undecidable.orgs === 0
        ? 'no org is undecidable'
        : `undecidable orgs that keep today's number: ${undecidable.orgs} (${list})`;
  }
}
