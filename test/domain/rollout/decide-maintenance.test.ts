// Nights, reconciliations and sweeps: what leads to what, one at a time, and that nothing of it runs beside a rollout.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideMaintenance, isMaintenanceDue } from '../../../src/domain/rollout/decide-maintenance.js';
import type { DataCenterSnapshot, MaintenanceRun } from '../../../src/domain/rollout/snapshot.js';
import { INTENTS, STAGES } from '../../../src/domain/rollout/stage.js';
import { AWAY, type CellSketch, cell, dc, FREEZE, LATER, NOW } from './sample-snapshot.js';

const BEFORE = new Date(NOW.getTime() - 30_000);
const CLOSED = { state: 'closed', epoch: 9n } as const;
const FEEDING = { ...CLOSED, singleWrites: true } as const;
const MOVED = { ...CLOSED, sameTimeline: false } as const;
const OURS = { state: 'open', epoch: 9n, runId: 9n } as const;
const NONE = { open: null, closedEpoch: null, night: null, requested: false, failedAt: null } as const;
const NIGHT = { ...NONE, night: { localDate: '2025-10-07', dueAt: NOW } };
const OPEN: MaintenanceRun = { runId: 9n, kind: 'reconcile', epoch: 9n };
const SWEEP: MaintenanceRun = { ...OPEN, kind: 'sweep' };
const LATCHED = { configuredAt: NOW, effectiveAt: NOW, latchedAt: NOW };

const decide = (one: DataCenterSnapshot, ...others: readonly DataCenterSnapshot[]): readonly string[] => {
  const { steps, holds } = decideMaintenance({ now: NOW, dataCenters: [one, ...others] }, one);
  return [
    ...steps.map((step) => [step.kind, 'of' in step && step.of, 'job' in step && step.job].filter(Boolean).join(' ')),
    ...holds.map(({ code }) => code),
  ];
};

const done = (change: Partial<DataCenterSnapshot> = {}, sketch: CellSketch = {}): DataCenterSnapshot =>
  dc({ stage: 'done', cell: cell({ fence: CLOSED, ...sketch }), ...change });
const during = (
  run: MaintenanceRun,
  sketch: CellSketch,
  change: Partial<DataCenterSnapshot> = {},
): DataCenterSnapshot => done({ maintenance: { ...NONE, open: run }, ...change }, { fence: OURS, ...sketch });

/** Its fence is closed, and control has that on record. */
const ended = (run: MaintenanceRun, sketch: CellSketch, change: Partial<DataCenterSnapshot> = {}): DataCenterSnapshot =>
  during(run, { fence: CLOSED, ...sketch }, { maintenance: { ...NONE, open: run, closedEpoch: run.epoch }, ...change });

/** Control was restored to before an undo that the cell has. */
const forgotten = (one: DataCenterSnapshot): DataCenterSnapshot =>
  one.cell?.kind === 'read' ? { ...one, cell: { ...one.cell, undone: true } } : one;

describe('decideMaintenance', () => {
  test.each([
    ['a night that is due starts', done({ maintenance: NIGHT }), ['start_maintenance reconcile']],
    [
      'so does one that was asked for',
      done({ maintenance: { ...NONE, requested: true } }),
      ['start_maintenance reconcile'],
    ],
    ['a sweep comes before a night', done({ maintenance: NIGHT }, { gate: LATCHED }), ['start_maintenance sweep']],
    [
      'after the sweep nights go on',
      done({ maintenance: NIGHT }, { gate: { ...LATCHED, sweptAt: NOW } }),
      ['start_maintenance reconcile'],
    ],
    ['a night waits while it is paused', done({ maintenance: NIGHT, intent: 'pause' }), ['paused']],
    ['a night waits while it is frozen', done({ maintenance: NIGHT }, { freeze: FREEZE }), ['frozen']],
    ['a night waits for its cell', done({ maintenance: NIGHT, cell: AWAY }), ['cell_unreachable']],
    [
      'after a failure it rests',
      done({ singleWrites: true, maintenance: { ...NIGHT, failedAt: BEFORE } }, { fence: FEEDING }),
      ['maintenance_failed'],
    ],
    [
      'and then tries again',
      done({ maintenance: { ...NIGHT, failedAt: new Date(0) } }),
      ['start_maintenance reconcile'],
    ],
    ['nothing of it starts beside a rollout', done({ maintenance: NIGHT, stage: 'migrating' }), []],
    ['with nothing due the change feed is let through', done(), ['allow_single_writes']],
    ['once', done({ singleWrites: true }, { fence: { ...CLOSED, singleWrites: true } }), []],
    [
      'a pause stops it',
      done({ singleWrites: true, intent: 'pause' }, { fence: { ...CLOSED, singleWrites: true } }),
      ['stop_single_writes', 'paused'],
    ],
    [
      'also while a night waits',
      done({ singleWrites: true, intent: 'pause', maintenance: NIGHT }, { fence: FEEDING }),
      ['stop_single_writes', 'paused'],
    ],
    ['a pause is shown where nothing is due', done({ intent: 'pause', cell: undefined }), ['paused']],
    ['detached views are shown where nothing is due', done({}, { source: 'detached' }), ['source_detached']],
    [
      'and hold a night',
      done({ singleWrites: true, maintenance: NIGHT }, { source: 'detached', fence: FEEDING }),
      ['stop_single_writes', 'source_detached'],
    ],
    ['nothing starts after a failover: the auditor must see it', done({ maintenance: NIGHT }, { fence: MOVED }), []],
    ['a run begins with the fence', during(OPEN, { fence: CLOSED }), ['open_maintenance']],
    [
      'a failover closes it',
      during(OPEN, { maintenance: { detected: false }, fence: { ...OURS, sameTimeline: false } }),
      ['close_maintenance'],
    ],
    ['and ends it', ended(OPEN, { maintenance: { detected: false }, fence: MOVED }), ['end_maintenance']],
    ['an undo that control does not know closes it', forgotten(during(OPEN, {})), ['close_maintenance']],
    ['and ends it too', forgotten(ended(OPEN, {})), ['end_maintenance']],
    [
      'a failover before it was opened closes it too',
      during(OPEN, { fence: { ...MOVED, epoch: 8n } }),
      ['close_maintenance'],
    ],
    [
      'a server that started again needs its fence opened',
      during(OPEN, { maintenance: { detected: false }, fence: { ...OURS, sameServer: false } }),
      ['open_maintenance'],
    ],
    ['then drift is found', during(OPEN, { maintenance: { detected: false } }), ['wake_workers detect', 'maintenance']],
    ['then it is healed', during(OPEN, { maintenance: { pending: 3 } }), ['wake_workers apply', 'maintenance']],
    ['what is healed is closed', during(OPEN, { maintenance: {} }), ['close_maintenance']],
    ['and ends', ended(OPEN, { maintenance: {} }), ['end_maintenance']],
    [
      'a fence that was closed without a record is closed again',
      during(OPEN, { maintenance: {}, fence: CLOSED }),
      ['close_maintenance'],
    ],
    [
      'a record of an older epoch is none',
      ended(OPEN, { maintenance: {} }, { maintenance: { ...NONE, open: OPEN, closedEpoch: 8n } }),
      ['close_maintenance'],
    ],
    [
      'a stop that is not on record is executed again',
      during(OPEN, { maintenance: { pending: 3 }, freeze: FREEZE, fence: CLOSED }),
      ['close_maintenance'],
    ],
    ['a sweep that found something searches again', ended(SWEEP, { maintenance: { found: 2 } }), ['sweep_again']],
    ['a sweep that found nothing ends', ended(SWEEP, { maintenance: { found: 0 } }), ['end_maintenance']],
    [
      'a night that found something does not search again',
      ended(OPEN, { maintenance: { found: 2 } }),
      ['end_maintenance'],
    ],
    [
      'a broken rule closes it',
      during(OPEN, { maintenance: { pending: 3 }, fence: { ...OURS, failure: 'x' } }),
      ['close_maintenance'],
    ],
    [
      'and ends it',
      ended(OPEN, { maintenance: { pending: 3 }, fence: { ...CLOSED, failure: 'x' } }),
      ['end_maintenance'],
    ],
    ['a freeze closes it', during(OPEN, { maintenance: { pending: 3 }, freeze: FREEZE }), ['close_maintenance']],
    ['and holds it', ended(OPEN, { maintenance: { pending: 3 }, freeze: FREEZE }), ['frozen']],
    [
      'without a worker it shows that',
      during(OPEN, { maintenance: { pending: 3 }, workersAlive: 0 }),
      ['wake_workers apply', 'no_worker', 'maintenance'],
    ],
  ] as const)('%s', (_promise, one, expected) => {
    expect(decide(one)).toEqual(expected);
  });

  test('waits for the run of another data center', () => {
    const other = during(OPEN, { maintenance: { pending: 1 } }, { id: 'us', position: 2 });
    const waiting = done({ maintenance: NIGHT, singleWrites: true }, { fence: FEEDING });
    expect(decide(waiting, other)).toEqual(['maintenance_slot_taken']);
  });

  test('names the rule by which it failed', () => {
    const one = ended(OPEN, { maintenance: { pending: 3 }, fence: { ...CLOSED, failure: 'floor_kept' } });
    const { steps } = decideMaintenance({ now: NOW, dataCenters: [one] }, one);
    expect(steps).toMatchObject([{ state: 'failed', reason: 'a rule was broken: floor_kept' }]);
  });

  test('wakes under the epoch of its own run', () => {
    const one = during({ ...OPEN, epoch: 9n }, { maintenance: { pending: 1 } }, { epoch: 5n });
    const { steps } = decideMaintenance({ now: NOW, dataCenters: [one] }, one);
    expect(steps).toMatchObject([{ kind: 'wake_workers', epoch: 9n }]);
  });

  test('starts nothing, whatever is due, unless the data center is done, its fence confirmed closed, and free to run', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...STAGES),
        fc.constantFrom(...INTENTS),
        fc.boolean(),
        fc.constantFrom(null, FREEZE),
        (stage, intent, fenceConfirmedClosed, freeze) => {
          const change = { stage, intent, fenceConfirmedClosed, maintenance: NIGHT };
          const found = decide(done(change, freeze === null ? {} : { freeze }));
          const may = stage === 'done' && intent !== 'pause' && fenceConfirmedClosed && freeze === null;
          expect(found.includes('start_maintenance reconcile')).toBe(may);
        },
      ),
    );
  });

  test.each([
    ['a night', done({ maintenance: NIGHT, singleWrites: true }), true],
    ['an open run', during(OPEN, {}, { singleWrites: true }), true],
    ['a latched gate', done({ singleWrites: true, knownGate: { ...LATCHED, sweptAt: null }, cell: undefined }), true],
    ['a feed that is not let through', done(), true],
    ['nothing', done({ singleWrites: true, cutoverAt: LATER }), false],
  ] as const)('%s asks for the cell to be read: %#', (_what, one, due) => {
    expect(isMaintenanceDue(one)).toBe(due);
  });
});
