// An undo: what it waits for before it starts, and each step of it. Nothing is taken back from the cut-over on, in a
// frozen cell, or under a fence that is not its own.
import { describe, expect, test } from 'vitest';
import { decideUndoing, decideUndoStart, isUndoDue, UNDOABLE_STAGES } from '../../../src/domain/rollout/decide-undo.js';
import type { DataCenterSnapshot } from '../../../src/domain/rollout/snapshot.js';
import { STAGES } from '../../../src/domain/rollout/stage.js';
import { AWAY, type CellSketch, cell, dc, FREEZE, LATER, NOW, nameStep } from './sample-snapshot.js';

const BEFORE = new Date(NOW.getTime() - 1);
const NIGHT = { runId: 9n, kind: 'reconcile', epoch: 9n } as const;
const PAUSED = { intent: 'pause', pause: null } as const;

const words = ({ steps, holds }: ReturnType<typeof decideUndoStart>): readonly string[] => [
  ...steps.map(nameStep),
  ...holds.map(({ code }) => code),
];
const start = (one: DataCenterSnapshot, ...others: readonly DataCenterSnapshot[]) =>
  words(decideUndoStart({ now: NOW, dataCenters: [one, ...others] }, one));
const asked = (change: Partial<DataCenterSnapshot> = {}): DataCenterSnapshot =>
  dc({ stage: 'done', undoRequested: true, ...change });

describe('decideUndoStart', () => {
  test('starts where it was asked for, at a stage that has something to undo', () => {
    expect(start(asked())).toEqual(['start_undo']);
    expect(STAGES.filter((stage) => isUndoDue({ stage, undoRequested: true }))).toEqual(
      STAGES.filter((stage) => UNDOABLE_STAGES.includes(stage)),
    );
    expect(STAGES.filter((stage) => isUndoDue({ stage, undoRequested: false }))).toEqual([]);
  });

  test.each([
    ['a frozen cell', asked({ cell: cell({ freeze: FREEZE }) }), ['frozen']],
    ['a pause', asked(PAUSED), ['paused']],
    ['a night', asked({ maintenance: { ...dc().maintenance, open: NIGHT } }), ['maintenance']],
    ['a cell that cannot be read', asked({ cell: AWAY }), ['cell_unreachable']],
    ['views that read another table', asked({ cell: cell({ source: 'changed' }) }), ['source_changed']],
    ['views that are not attached', asked({ cell: cell({ source: 'detached' }) }), ['source_detached']],
  ] as const)('waits for %s', (_what, one, holds) => {
    expect(start(one)).toEqual(holds);
  });

  test('waits for another data center that is rolled out, and not for one that rests', () => {
    expect(start(asked(), dc({ id: 'us', stage: 'migrating' }))).toEqual(['slot_taken']);
    expect(start(asked(), dc({ id: 'us', stage: 'done' }))).toEqual(['start_undo']);
  });

  test.each([
    ['its instant has come', asked({ cell: cell({ gate: { effectiveAt: NOW } }) }), ['drop_undo']],
    ['it is latched', asked({ cell: cell({ gate: { effectiveAt: BEFORE, latchedAt: BEFORE } }) }), ['drop_undo']],
    ['and the undo is held', asked({ ...PAUSED, cell: cell({ gate: { effectiveAt: NOW } }) }), ['drop_undo']],
    [
      'as control knows of a cell that is away',
      asked({ cell: AWAY, knownGate: { ...dc().knownGate, effectiveAt: BEFORE, latchedAt: BEFORE } }),
      ['drop_undo'],
    ],
    ['its instant is to come', asked({ cell: cell({ gate: { effectiveAt: LATER } }) }), ['start_undo']],
  ] as const)('is dropped once the cut-over has begun: %s', (_what, one, expected) => {
    expect(start(one)).toEqual(expected);
  });
});

const CLOSED = { state: 'closed' } as const;
const DONE = { pending: 0 } as const;
const undoing = (sketch: CellSketch = {}, change: Partial<DataCenterSnapshot> = {}): readonly string[] => {
  const reading = cell(sketch);
  const one = dc({ stage: 'undoing', cell: reading, ...change });
  return words(decideUndoing({ now: NOW, dataCenters: [one] }, one, reading));
};

describe('decideUndoing', () => {
  test.each([
    ['wakes as many workers as there are lanes', {}, ['wake apply 2']],
    ['and no more than ranges', { run: { pending: 1 } }, ['wake apply 1']],
    ['opens a closed fence', { fence: CLOSED }, ['open_fence open']],
    ['opens it where its cell does not know the run', { run: null, fence: CLOSED }, ['open_fence open']],
    ['opens it again under another epoch', { fence: { epoch: 4n } }, ['open_fence open']],
    ['opens it again for another run', { fence: { runId: 4n } }, ['open_fence open']],
    ['opens it again after a failover', { fence: { sameTimeline: false } }, ['open_fence open']],
    ['opens it again on a server that has started again', { fence: { sameServer: false } }, ['open_fence open']],
    ['closes the fence when nothing is pending', { run: DONE }, ['close_fence']],
    ['ends once it is closed', { run: DONE, fence: CLOSED }, ['advance undone']],
    ['not where an older epoch closed it', { run: DONE, fence: { ...CLOSED, epoch: 4n } }, ['close_fence']],
    ['waits until the gate is disarmed', { gate: { configuredAt: LATER, effectiveAt: LATER } }, []],
    ['closes at the cut-over', { gate: { configuredAt: NOW, effectiveAt: NOW } }, ['close_fence']],
    ['and then fails', { gate: { effectiveAt: NOW }, fence: CLOSED }, ['fail cutover_begun']],
    [
      'also once it is latched',
      { gate: { effectiveAt: BEFORE, latchedAt: BEFORE }, fence: CLOSED },
      ['fail cutover_begun'],
    ],
    ['closes when a rule was broken', { fence: { failure: 'some_check' } }, ['close_fence']],
    ['and then fails with its name', { fence: { ...CLOSED, failure: 'some_check' } }, ['fail some_check']],
    ['not for what an older epoch broke', { fence: { failure: 'some_check', epoch: 4n } }, ['open_fence open']],
    ['does nothing in a frozen cell', { freeze: FREEZE }, ['frozen']],
    ['closes where views read another table', { source: 'changed' }, ['close_fence', 'source_changed']],
  ] as const)('%s', (_promise, sketch, expected) => {
    expect(undoing(sketch)).toEqual(expected);
  });

  test('closes for a pause, and then waits', () => {
    expect(undoing({}, PAUSED)).toEqual(['close_fence', 'paused']);
    expect(undoing({ fence: CLOSED }, PAUSED)).toEqual(['paused']);
  });
});
