// The limits of a night: what they let through, and that they never let half of something through.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Caps, decideCaps, type FallCounts } from '../../../src/domain/reconcile/decide-caps.js';

const NONE: FallCounts = { raises: 0, falls: 0, lapses: 0, gone: 0, allotments: 100_000 };
const UNSET: Caps = { maxChanged: null, maxLapsed: null, falls: 'within_limits' };

describe('decideCaps', () => {
  test.each([
    [
      'a night with few changes',
      { ...NONE, raises: 50, falls: 50, lapses: 5, gone: 2 },
      UNSET,
      ['heal', 'heal', 'heal'],
    ],
    ['one lapse too many', { ...NONE, lapses: 1_001 }, UNSET, ['heal', 'propose', 'heal']],
    ['lapses at the limit', { ...NONE, lapses: 1_000 }, UNSET, ['heal', 'heal', 'heal']],
    ['ten lapses in a small cell', { ...NONE, lapses: 10, allotments: 12 }, UNSET, ['heal', 'heal', 'heal']],
    ['a broken view', { ...NONE, gone: 1_001 }, UNSET, ['heal', 'heal', 'propose']],
    ['falls above maxChanged', { ...NONE, falls: 6 }, { ...UNSET, maxChanged: 5 }, ['propose', 'propose', 'heal']],
    [
      'raises that use maxChanged up',
      { ...NONE, raises: 5, falls: 1 },
      { ...UNSET, maxChanged: 5 },
      ['propose', 'propose', 'heal'],
    ],
    [
      'lapses that are proposed do not count against the limit',
      { ...NONE, falls: 5, lapses: 3 },
      { ...UNSET, maxChanged: 5, maxLapsed: 2 },
      ['heal', 'propose', 'heal'],
    ],
    [
      'accepted falls',
      { ...NONE, falls: 99_000, lapses: 900, gone: 5_000 },
      { ...UNSET, falls: 'accepted' },
      ['heal', 'heal', 'heal'],
    ],
  ] as const)('%s', (_what, counts, caps, answers) => {
    const { falls, lapses, gone } = decideCaps(counts, caps);
    expect([falls, lapses, gone]).toEqual(answers);
  });

  test('never heals what only a new card lowers, but where a person accepted it', () => {
    expect(decideCaps({ ...NONE, falls: 1 }, UNSET).card).toBe('propose');
    expect(decideCaps({ ...NONE, falls: 1 }, { ...UNSET, falls: 'accepted' }).card).toBe('heal');
  });

  test('names the limit that was passed, with both numbers', () => {
    expect(decideCaps({ ...NONE, lapses: 7, gone: 2_000 }, { ...UNSET, maxLapsed: 5 }).reasons).toEqual([
      '7 orgs would lapse, above 5',
      '2000 orgs have left the source, above 1000',
    ]);
    expect(decideCaps(NONE, UNSET).reasons).toEqual([]);
  });

  test('never lets more through than the limits, and gives a reason whenever it does not', () => {
    const count = fc.nat(500);
    const anyCounts = fc.record({ raises: count, falls: count, lapses: count, gone: count, allotments: fc.nat(5_000) });
    const limit = fc.option(fc.nat(500));
    fc.assert(
      fc.property(anyCounts, limit, limit, (counts, maxChanged, maxLapsed) => {
        const decision = decideCaps(counts, { maxChanged, maxLapsed, falls: 'within_limits' });
        const falls = decision.falls === 'heal' ? counts.falls : 0;
        const lapses = decision.lapses === 'heal' ? counts.lapses : 0;
        if (falls + lapses > 0 && maxChanged !== null)
          expect(counts.raises + falls + lapses).toBeLessThanOrEqual(maxChanged);
        if (maxLapsed !== null) expect(lapses).toBeLessThanOrEqual(maxLapsed);
        const left = counts.falls - falls + counts.lapses - lapses + (decision.gone === 'heal' ? 0 : counts.gone);
        expect(decision.reasons.length > 0 || left === 0).toBe(true);
      }),
    );
  });
});
