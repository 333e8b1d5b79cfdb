// Which edits are decided at once, which wait, and which are left to a reading by id.
import { describe, expect, test } from 'vitest';
import { MAX_LISTED, sortEdits, type UpdatedOrg } from '../../../src/domain/feed/sort-edits.js';

/** Orgs of one instant each, the newest first, or of one instant together. */
const alone = (count: number, first: number): readonly UpdatedOrg[] =>
  Array.from({ length: count }, (_, n) => ({ id: `a${first + n}`, at: `t${first + n}` }));
const together = (count: number, at: string): readonly UpdatedOrg[] =>
  Array.from({ length: count }, (_, n) => ({ id: `${at}-${n}`, at }));
const open = { pageSize: 1_000, queue: 'open' } as const;

describe('sortEdits', () => {
  test('decides one page at once, whoever edited it', () => {
    const orgs = together(1_000, 'import');
    expect(sortEdits(orgs, open)).toEqual({ first: orgs.map(({ id }) => id), queued: [], bulk: null, readPast: null });
    expect(sortEdits([], open).first).toEqual([]);
  });

  test('decides an org once that is listed twice', () => {
    const [org] = alone(1, 1);
    if (org !== undefined) expect(sortEdits([org, org], open).first).toEqual(['a1']);
  });

  test('decides single edits before those of a transaction that touched many, and lists the latter once', () => {
    const sorted = sortEdits([...alone(5, 1), ...together(4_000, 'import'), ...alone(5, 6)], open);
    expect(sorted.first).toEqual(alone(10, 1).map(({ id }) => id));
    expect(sorted.queued).toHaveLength(4_000);
    expect(sorted).toMatchObject({ bulk: null, readPast: 'import' });
  });

  test('queues the newest last, and lists single edits again: some may not be committed yet', () => {
    const sorted = sortEdits(alone(1_500, 1), open);
    expect(sorted.first[0]).toBe('a1');
    expect(sorted.queued[0]).toBe('a1500');
    expect(sorted.queued.at(-1)).toBe('a1001');
    expect(sorted.readPast).toBe(null);
  });

  test('leaves to a reading by id what is more than it lists, and decides what is newer', () => {
    const sorted = sortEdits([...alone(3, 1), ...together(MAX_LISTED - 2, 'touch')], open);
    expect(sorted.first).toEqual(['a1', 'a2', 'a3']);
    expect(sorted).toMatchObject({ queued: [], bulk: { from: null, to: 'touch' }, readPast: 'touch' });
  });

  test('does so where the queue is full: from the oldest that was listed', () => {
    const sorted = sortEdits([...alone(2, 1), ...together(2_000, 'import')], { ...open, queue: 'full' });
    expect(sorted).toMatchObject({
      first: ['a1', 'a2'],
      queued: [],
      bulk: { from: 'import', to: 'import' },
      readPast: 'import',
    });
  });

  test('never loses an org: each is decided, queued, or between the instants of the bulk', () => {
    const orgs = [...alone(700, 1), ...together(150, 'x'), ...alone(900, 701), ...together(3_000, 'y')];
    for (const queue of ['open', 'full'] as const) {
      const { first, queued, bulk } = sortEdits(orgs, { pageSize: 1_000, queue });
      const kept = new Set([...first, ...queued]);
      const places = bulk === null ? [] : [bulk.to, bulk.from].map((at) => orgs.findIndex((org) => org.at === at));
      const last = orgs.findLastIndex((org) => org.at === bulk?.from);
      const lost = orgs.filter(({ id }, at) => !kept.has(id) && !(at >= (places[0] ?? Infinity) && at <= last));
      expect(lost).toEqual([]);
    }
  });
});
