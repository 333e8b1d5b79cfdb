// What follows an attempt: nothing is lost silently, and a webhook that answers is never kept waiting for long.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decideDelivery,
  MOST_AGE_MS,
  MOST_REFUSALS,
  RETRY_DELAYS_MS,
  readOutcome,
} from '../../../src/domain/webhooks/decide-delivery.js';

const attempted = fc.record({
  failures: fc.nat({ max: 100 }),
  attempts: fc.nat({ max: 100 }),
  ageMs: fc.integer({ min: 0, max: 3 * MOST_AGE_MS }),
});
const failed = (refused: boolean) => ({ kind: 'failed', code: 'http_500', refused }) as const;

describe('decideDelivery', () => {
  test('a message that is taken ends every wait', () => {
    fc.assert(
      fc.property(attempted, (before) => {
        expect(decideDelivery({ kind: 'accepted' }, before)).toEqual({ state: 'delivered', failures: 0, delayMs: 0 });
      }),
    );
  });

  test('a failure waits from 5 s to 8 h, never less than the one before, and gives up after a day only', () => {
    fc.assert(
      fc.property(attempted, (before) => {
        const decided = decideDelivery(failed(false), before);
        expect(decided.failures).toBe(before.failures + 1);
        expect(decided.state).toBe(before.ageMs >= MOST_AGE_MS ? 'dead' : 'waiting');
        const next = decideDelivery(failed(false), { ...before, failures: before.failures + 1 });
        expect(next.delayMs).toBeGreaterThanOrEqual(decided.delayMs);
        expect(decided.delayMs).toBeGreaterThanOrEqual(RETRY_DELAYS_MS[0]);
        expect(decided.delayMs).toBeLessThanOrEqual(8 * 3_600_000);
      }),
    );
  });

  test('a message that is refused three times is given up at once, and the next one is not kept waiting', () => {
    const at = (attempts: number) => decideDelivery(failed(true), { failures: attempts, attempts, ageMs: 0 });
    expect([0, 1, 2].map((attempts) => at(attempts).state)).toEqual(['waiting', 'waiting', 'dead']);
    expect(at(MOST_REFUSALS - 1)).toMatchObject({ failures: 0, delayMs: 0 });
  });

  test.each([
    [200, { kind: 'accepted' }],
    [204, { kind: 'accepted' }],
    [302, { kind: 'failed', code: 'redirected', refused: false }],
    [400, { kind: 'failed', code: 'http_400', refused: true }],
    [401, { kind: 'failed', code: 'http_401', refused: false }],
    [404, { kind: 'failed', code: 'http_404', refused: false }],
    [410, { kind: 'failed', code: 'http_410', refused: true }],
    [429, { kind: 'failed', code: 'http_429', refused: false }],
    [503, { kind: 'failed', code: 'http_503', refused: false }],
  ])('status %i', (status, outcome) => {
    expect(readOutcome(status)).toEqual(outcome);
  });
});
