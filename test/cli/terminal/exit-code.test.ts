// One exit code for several: whatever comes beside it, the one that asks for more attention.
import { describe, expect, test } from 'vitest';
import { chooseExitCode, exitCodeOf } from '../../../src/cli/terminal/exit-code.js';
import { sampleDataCenter } from '../views/sample-status.js';

/** An error, not permitted, a conflict, a mismatch, held, nothing to do, orgs left out, pending, done. */
const ORDER = [1, 7, 6, 5, 4, 8, 3, 2, 0];

describe('chooseExitCode', () => {
  test('takes the first in their order, whatever else there is', () => {
    for (const [place, code] of ORDER.entries()) {
      const later = ORDER.slice(place);
      expect(chooseExitCode(later.toReversed())).toBe(code);
      for (const other of later) expect(chooseExitCode([other, code])).toBe(code);
    }
    expect(chooseExitCode([])).toBe(0);
  });
});

test.each(['done', 'failed', 'aborted'] as const)('%s has not ended while an undo is asked for', (stage) => {
  const dc = sampleDataCenter({ stage, requestedAt: null });
  expect(exitCodeOf({ ...dc, undoRequested: true })).toBe(4);
  expect(exitCodeOf(dc)).not.toBe(4);
});
