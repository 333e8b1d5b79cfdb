// What of a duration was work, and what was waiting.
import { describe, expect, test } from 'vitest';
import { splitDuration } from '../../../src/domain/rollout/split-duration.js';

const at = (seconds: number): Date => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds));
const hold = (code: string, since: number, until: number | null) => ({
  code,
  since: at(since),
  until: until === null ? null : at(until),
});
const span = { from: at(10), to: at(110) };

describe('splitDuration', () => {
  test('counts every instant once, for the first hold of their order, cut at both ends', () => {
    expect(
      splitDuration(span, [hold('needs_approval', 0, 30), hold('paused', 20, 40), hold('window_closed', 100, null)]),
    ).toEqual({
      activeMs: 60_000,
      heldMs: 40_000,
      held: [
        { code: 'paused', ms: 20_000 },
        { code: 'needs_approval', ms: 10_000 },
        { code: 'window_closed', ms: 10_000 },
      ],
    });
  });

  test('takes planning for work, and an unknown code of another version for waiting', () => {
    expect(splitDuration(span, [hold('planning', 10, 60), hold('later', 60, 70)])).toEqual({
      activeMs: 90_000,
      heldMs: 10_000,
      held: [{ code: 'later', ms: 10_000 }],
    });
  });

  test('adds up a hold that came twice, and is empty for a span that ends before it begins', () => {
    const twice = [hold('no_worker', 10, 20), hold('no_worker', 30, 50)];
    expect(splitDuration(span, twice).held).toEqual([{ code: 'no_worker', ms: 30_000 }]);
    expect(splitDuration({ from: at(110), to: at(10) }, twice)).toEqual({ activeMs: 0, heldMs: 0, held: [] });
  });
});
