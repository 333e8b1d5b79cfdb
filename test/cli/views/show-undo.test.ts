// What `undo` shows and returns, and how the summary at the end of one reads.
import { describe, expect, test } from 'vitest';
import { reportUndo } from '../../../src/cli/commands/undo.js';
import { plainPaint } from '../../../src/cli/terminal/paint.js';
import { showSummary } from '../../../src/cli/views/show-summary.js';
import type { UndoReport } from '../../../src/engine/undo/preview-undo.js';
import { sampleCommands, sampleDataCenter, sampleProgress, sampleStatus } from './sample-status.js';

const COUNTS = { orgs: 4, deletes: 3, restores: 0, conflicts: 0, falls: 1, paidFalls: 0 };
const sampleUndo = (own: Partial<UndoReport> = {}): UndoReport => ({
  ...{ dataCenter: 'in', state: 'requested', undoId: 'in-u2', undoes: 7n, author: 'ana', approver: null, reason: 'x' },
  digest: null,
  counts: { ...COUNTS, beforeCredits: '900', afterCredits: '800' },
  ...{ olderRun: null, olderOrgs: 0, possibleUntil: null, possibleUntilLocal: null, falling: [], conflicts: [] },
  ...own,
});

function report(undo: UndoReport): { readonly exitCode: number; readonly text: string } {
  const shown: string[] = [];
  const session = { commands: sampleCommands, width: () => 80, report: (_: object, text: string) => shown.push(text) };
  return { exitCode: reportUndo(session, undo), text: shown.join('') };
}

const withConflicts = { ...sampleUndo().counts, conflicts: 2 };

describe('reportUndo', () => {
  test('returns 3 where it is asked for and orgs are left as they are, and else 0', () => {
    expect(report(sampleUndo({ counts: withConflicts })).exitCode).toBe(3);
    expect(report(sampleUndo()).exitCode).toBe(0);
    for (const state of ['dry_run', 'proposed', 'withdrawn', 'nothing'] as const)
      expect([state, report(sampleUndo({ state, counts: withConflicts })).exitCode]).toEqual([state, 0]);
  });

  test('says how many orgs older runs still hold, and the command to go on', () => {
    const { text } = report(sampleUndo({ olderRun: 5n, olderOrgs: 117 }));
    expect(text).toContain('117 orgs have what runs before 7 wrote: this undo leaves that');
    expect(text).toContain('to take back run 5 too, after the end of this undo: credit-rollout undo --dc in');
    expect(report(sampleUndo()).text).not.toContain('runs before');
  });
});

describe('showSummary', () => {
  const eu = { ...sampleDataCenter({ stage: 'undone', progress: sampleProgress({ raised: 0, falls: 9 }) }) };
  const shown = (...dataCenters: readonly ReturnType<typeof sampleDataCenter>[]): string =>
    showSummary(
      { ...sampleStatus(), dataCenters },
      dataCenters.map(({ id }) => id),
      { paint: plainPaint, width: 100 },
    );

  test('says of an undo that its orgs fell, and of a rollout that they would', () => {
    expect(shown(eu)).toContain('FALLS: orgs whose number fell by the undo.');
    expect(shown(eu)).not.toContain('would fall');
    expect(shown(sampleDataCenter({ stage: 'done' }))).toContain('FALLS: orgs whose number would fall; they keep it');
    const both = shown(eu, sampleDataCenter({ id: 'us', stage: 'done' }));
    expect(both).toContain('FALLS: orgs whose number would fall; they keep it');
    expect(both).toContain('FALLS in eu: orgs whose number fell by the undo.');
  });

  test('counts no fall of an undo as an org that stayed the same', () => expect(shown(eu)).not.toContain('-9'));
});
