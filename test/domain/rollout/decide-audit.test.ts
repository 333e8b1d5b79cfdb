// When a verified data center goes back to pending: only when its cell proves that it is another one than was verified.
import { describe, expect, test } from 'vitest';
import { decideAudit, decideUndoneAudit, isUndoForgotten } from '../../../src/domain/rollout/decide-audit.js';
import type { CellReading, FenceReading, RunReading } from '../../../src/domain/rollout/snapshot.js';
import { STAGES } from '../../../src/domain/rollout/stage.js';

const RUN = {
  canary: { passed: true, pending: 0, unverified: 0, mismatches: 0, verifiedForMs: null },
  staleLeft: 0,
  touched: 3,
  followedUp: false,
} as const;

const reading = (fence: Partial<FenceReading> = {}, run: Partial<RunReading> | null = {}): CellReading => ({
  kind: 'read',
  openLanes: [],
  fence: {
    state: 'closed',
    epoch: 7n,
    runId: 5n,
    sameTimeline: true,
    sameServer: true,
    failure: null,
    singleWrites: false,
    ...fence,
  },
  run: run === null ? undefined : { ...RUN, batches: 3, pending: 0, verified: 3, mismatches: 0, idleMs: 0, ...run },
  source: 'attached',
  bakeError: null,
  workersAlive: 0,
  lastError: null,
  bakeQuery: undefined,
  gate: { configuredAt: null, effectiveAt: null, latchedAt: null, sweptAt: null },
  gateHolder: null,
  freeze: null,
  maintenance: undefined,
});

describe('isUndoForgotten', () => {
  test('holds what control calls rolled out, where the cell has a newer undo', () => {
    const found = STAGES.filter((stage) => isUndoForgotten(stage, { ...reading(), undone: true } as CellReading));
    expect(found).toEqual(['baking', 'done']);
    expect(isUndoForgotten('done', reading())).toBe(false);
    expect(isUndoForgotten('done', undefined)).toBe(false);
    expect(isUndoForgotten('done', { kind: 'unreachable', code: '08006' })).toBe(false);
  });
});

describe('decideAudit', () => {
  test.each([
    ['it is as it was verified', reading()],
    ['a later epoch closed it', reading({ epoch: 8n })],
    ['it cannot be read', { kind: 'unreachable', code: 'unreachable' } as const],
  ])('leaves a data center alone when %s', (_case, cell) => {
    expect(decideAudit({ epoch: 7n }, cell)).toBeUndefined();
  });

  test.each([
    ['lost its run', reading({}, null)],
    ['has pending ranges', reading({}, { pending: 1 })],
    ['has unverified ranges', reading({}, { verified: 2 })],
    ['has an older epoch', reading({ epoch: 6n })],
    ['has an open fence', reading({ state: 'open' })],
    ['has failed over', reading({ sameTimeline: false })],
  ])('puts a data center back whose cell %s', (_case, cell) => {
    expect(decideAudit({ epoch: 7n }, cell)).toEqual(expect.any(String));
  });

  test('a server that started again says nothing about what was verified', () => {
    expect(decideAudit({ epoch: 7n }, reading({ sameServer: false }))).toBeUndefined();
  });

  test('knows nothing of a data center that never ran', () => {
    expect(decideAudit({ epoch: null }, reading({}, null))).toBeUndefined();
  });
});

describe('decideUndoneAudit', () => {
  test.each([
    ['it is as the undo left it', reading()],
    ['it has failed over, and lost nothing of it', reading({ sameTimeline: false })],
    ['nobody verified anything', reading({}, { verified: 0 })],
    ['it cannot be read', { kind: 'unreachable', code: 'unreachable' } as const],
  ])('leaves a data center alone when %s', (_case, cell) => {
    expect(decideUndoneAudit({ epoch: 7n }, cell)).toBeUndefined();
  });

  test.each([
    ['lost the undo', reading({}, null)],
    ['has ranges that are not undone', reading({}, { pending: 1 })],
    ['has an older epoch', reading({ epoch: 6n })],
  ])('finds a data center whose cell %s', (_case, cell) => {
    expect(decideUndoneAudit({ epoch: 7n }, cell)).toEqual(expect.any(String));
  });
});
