// A pause that ends by itself: how its end is written, how far away it may be, and what follows when it has come.
import { describe, expect, test } from 'vitest';
import { decideDataCenter } from '../../../src/domain/rollout/decide-data-center.js';
import { decidePauseEnd } from '../../../src/domain/rollout/pause-end.js';
import { STAGES } from '../../../src/domain/rollout/stage.js';
import { dc, LATER, NOW } from './sample-snapshot.js';

const ZONE = 'Asia/Kolkata';
const until = (text: string): string => decidePauseEnd({ kind: 'until', text }, ZONE, NOW).toISOString();
const afterwards = (text: string): string => decidePauseEnd({ kind: 'for', text }, ZONE, NOW).toISOString();

describe('decidePauseEnd', () => {
  test.each([
    ['2025-10-07T18:30', '2025-10-07T13:00:00.000Z'],
    ['2025-10-08', '2025-10-07T18:30:00.000Z'],
    ['2025-10-07T18:30Z', '2025-10-07T18:30:00.000Z'],
    ['2025-10-07 18:30:15+02:00', '2025-10-07T16:30:15.000Z'],
  ])('reads %s in the zone of the data center, or by its offset', (text, instant) => {
    expect(until(text)).toBe(instant);
  });

  test('counts a duration from now', () => {
    expect(afterwards('PT2H')).toBe('2025-10-07T12:00:00.000Z');
    expect(afterwards('P30D')).toBe('2025-11-06T10:00:00.000Z');
  });

  test.each([
    ['PT0S', 'for', 'invalid_duration'],
    ['2h', 'for', 'invalid_duration'],
    ['P31D', 'for', 'pause_too_long'],
    ['2025-10-07T15:29', 'until', 'invalid_instant'],
    ['2025-02-30T10:00Z', 'until', 'invalid_instant'],
    ['2025-10-07T10:00+99:00', 'until', 'invalid_instant'],
    ['tomorrow', 'until', 'invalid_instant'],
    ['2026-10-07', 'until', 'pause_too_long'],
  ] as const)('refuses %s of --%s: %s', (text, kind, code) => {
    expect(() => decidePauseEnd({ kind, text }, ZONE, NOW)).toThrow(expect.objectContaining({ code }));
  });
});

describe('decideDataCenter: the end of a pause', () => {
  const decide = (at: Date | null, stage: (typeof STAGES)[number]) => {
    const one = dc({ stage, intent: 'pause', pause: { since: NOW, by: 'ana', reason: null, until: at } });
    return decideDataCenter({ now: NOW, dataCenters: [one] }, one);
  };

  test.each(STAGES)('%s: comes before every other step, and is held until then', (stage) => {
    expect(decide(NOW, stage)).toMatchObject({
      steps: [{ kind: 'end_pause' }],
      holds: [{ code: 'paused', needsPerson: false }],
    });
    for (const at of [LATER, null]) expect(decide(at, stage).steps.map(({ kind }) => kind)).not.toContain('end_pause');
  });

  test('one without an end needs a person, one with an end does not', () => {
    expect(decide(null, 'baking').holds).toMatchObject([{ code: 'paused', limit: null, needsPerson: true }]);
    expect(decide(LATER, 'baking').holds).toMatchObject([
      { code: 'paused', limit: LATER.toISOString(), needsPerson: false },
    ]);
  });
});
