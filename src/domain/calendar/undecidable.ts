// What the first alarm before a cut-over says of the orgs in quarantine: how many, and what lists them. Never which. Pure.
import type { DueChange, DueInsert } from './due-work.js';

/** The undecidable orgs of the newest run in a cell. */
export type Undecidable =
  | { readonly kind: 'counted'; readonly orgs: number }
  /** The cell has had no run yet. */
  | { readonly kind: 'no_run' }
  /** Its cell cannot be read; `code` says why. */
  | { readonly kind: 'unreadable'; readonly code: string };

/** The row is to say how many orgs are undecidable: somebody has two days left to decide them. */
export const asksForUndecidable = (change: DueChange): change is DueInsert =>
  change.kind === 'insert' && change.work === 'alarm_48h' && change.state !== 'missed';

/** The row with a note that says so too. */
export const noteUndecidable = (row: DueInsert, dataCenter: string, undecidable: Undecidable): DueInsert => ({
  ...row,
  note: `${row.note ?? ''}; ${describe(dataCenter, undecidable)}`,
});

function describe(dataCenter: string, undecidable: Undecidable): string {
  const list = `credit-rollout quarantine --dc ${dataCenter}`;
  switch (undecidable.kind) {
    case 'no_run':
      return 'no run has looked for undecidable orgs yet';
    case 'unreadable':
      return `undecidable orgs were not counted, its cell cannot be read (${undecidable.code}): ${list}`;
    default:
      return undecidable.orgs === 0
        ? 'no org is undecidable'
        : `undecidable orgs that keep today's number: ${undecidable.orgs} (${list})`;
  }
}
