// Why a data center waits, as people read it: no instant in the shape of a program, and no present moment.
import { describe, expect, test } from 'vitest';
import { listLongPause, showHold, showHoldBriefly } from '../../../src/cli/views/show-state.js';
import { byWaiting, createHold, HOLDS, type Hold, type HoldCode } from '../../../src/domain/rollout/hold.js';
import { sampleCommands, sampleDataCenter } from './sample-status.js';

const since = new Date('2026-11-22T14:00:00Z');
const NOW = '2026-11-22T15:00:00.123Z';
const THEN = '2026-11-23T03:00:00.000Z';
const show = (hold: Hold): string =>
  showHold({ ...hold, since }, { zone: 'Asia/Kolkata', freeze: null, pause: null }, sampleCommands);
const SINCE = 'since 2026-11-22 14:00:00 UTC (19:30 Asia/Kolkata)';
const hold = (code: HoldCode, value: string | null, limit: string | null): Hold =>
  createHold(code, byWaiting('it goes on by itself'), value, limit);

describe('showHold', () => {
  test.each([
    [hold('baking', NOW, THEN), 'is not over (until 2026-11-23 03:00:00 UTC, 12 h left)'],
    [
      hold('not_before', NOW, '2026-12-01T00:00:00 Asia/Kolkata'),
      'has not come (until 2026-12-01T00:00:00 Asia/Kolkata)',
    ],
    [hold('window_closed', 'outside the windows', THEN), '(outside the windows, opens 2026-11-23 03:00:00 UTC)'],
    [hold('gate_busy', 'pid 7', THEN), '(pid 7, open since 2026-11-23 03:00:00 UTC)'],
    [hold('maintenance_failed', THEN, null), 'failed (2026-11-23 03:00:00 UTC)'],
    [hold('canary_wait', '3 s', '20 s'), 'is not over (3 s left of 20 s)'],
    [hold('stalled', '130 s', '120 s'), 'though work is pending (for 130 s)'],
    [hold('no_worker', '0', '1'), 'no worker serves it'],
    [
      hold('needs_approval', 'orgsTouched 23', '20'),
      'of a second person, not of its author (orgsTouched 23, limit 20)',
    ],
    [hold('planning', null, null), 'its plan is being made'],
  ])('shows %o', (given, shown) => {
    expect(show(given)).toContain(`${shown}, ${SINCE}; it goes on by itself`);
    expect(show(given)).not.toContain(NOW);
  });
});

describe('showHoldBriefly', () => {
  test.each([
    [hold('baking', NOW, THEN), `${HOLDS.baking.meaning} (until 2026-11-23 03:00:00 UTC, 12 h left)`],
    [hold('frozen', THEN, null), 'it is frozen (2026-11-23 03:00:00 UTC)'],
    [hold('bake_query', 'false', 'true'), HOLDS.bake_query.meaning],
    [hold('planning', null, null), 'its plan is being made'],
  ])('shows %o', (given, shown) => {
    expect(showHoldBriefly({ ...given, since })).toBe(shown);
  });
});

test.each([
  ['migrating', 'to give it one: credit-rollout pause --dc in --until WHEN'],
  ['failed', 'to end it: credit-rollout resume --dc in'],
] as const)('a long pause at stage %s names a command that fits there', (stage, way) => {
  const pause = { since: new Date(0), by: 'ana', reason: null, until: null };
  const dc = sampleDataCenter({ id: 'in', stage, intent: 'pause', requestedAt: null, pause });
  expect(listLongPause(dc, since, sampleCommands).join('')).toContain(way);
});
