import { describe, expect, test } from 'vitest';
import { forecastRemaining, type RemainingFacts } from '../../../src/domain/rollout/forecast-remaining.js';

const HOUR = 3_600_000;
const hours = (lowMs: number, highMs = lowMs) => ({ lowMs: lowMs * HOUR, highMs: highMs * HOUR });
const facts: RemainingFacts = {
  stage: 'migrating',
  work: hours(1, 3),
  windows: [],
  zone: 'UTC',
  bakeMs: 0,
  bakeUntil: null,
};
const NIGHT = [{ from: '22:00', to: '04:00' }];
const at = (time: string): Date => new Date(`2026-11-24T${time}:00Z`);

describe('forecastRemaining', () => {
  test('is the work where nothing is planned', () => {
    expect(forecastRemaining(facts, at('12:00'))).toEqual({ ...hours(1, 3), waits: [] });
  });

  test('adds the time until a window opens', () => {
    const { windows } = { windows: NIGHT };
    expect(forecastRemaining({ ...facts, windows }, at('20:00'))).toEqual({
      ...hours(3, 5),
      waits: [{ for: 'window', ...hours(2) }],
    });
  });

  test('adds what closes in the middle, to the slower case only where only that reaches it', () => {
    expect(forecastRemaining({ ...facts, windows: NIGHT }, at('02:00'))).toEqual({
      ...hours(1, 21),
      waits: [{ for: 'window', ...hours(0, 18) }],
    });
    expect(forecastRemaining({ ...facts, windows: NIGHT, work: hours(8, 20) }, at('22:00'))).toEqual({
      ...hours(8 + 18, 20 + 3 * 18),
      waits: [{ for: 'window', ...hours(18, 54) }],
    });
  });

  test('ends exactly where the window does', () => {
    expect(forecastRemaining({ ...facts, windows: NIGHT, work: hours(6) }, at('22:00'))?.waits).toEqual([]);
  });

  test('knows the bake, before it and in it', () => {
    expect(forecastRemaining({ ...facts, bakeMs: 12 * HOUR }, at('12:00'))).toEqual({
      ...hours(13, 15),
      waits: [{ for: 'bake', ...hours(12) }],
    });
    const baking = { ...facts, stage: 'baking', work: undefined, bakeUntil: at('15:00') } as const;
    expect(forecastRemaining(baking, at('12:00'))).toEqual({ ...hours(3), waits: [{ for: 'bake', ...hours(3) }] });
    expect(forecastRemaining(baking, at('16:00'))).toEqual({ ...hours(0), waits: [] });
  });

  test('begins when a pause ends by itself, and says nothing of one that a person ends', () => {
    const paused = { ...facts, windows: NIGHT, pausedUntil: at('20:00') };
    expect(forecastRemaining(paused, at('12:00'))).toEqual({
      ...hours(8 + 2 + 1, 8 + 2 + 3),
      waits: [
        { for: 'pause', ...hours(8) },
        { for: 'window', ...hours(2) },
      ],
    });
    expect(forecastRemaining({ ...facts, pausedUntil: null }, at('12:00'))).toBeNull();
    const baking = { ...facts, stage: 'baking', work: undefined, bakeUntil: at('15:00') } as const;
    expect(forecastRemaining({ ...baking, pausedUntil: at('16:00') }, at('12:00'))).toEqual({
      ...hours(4),
      waits: [{ for: 'pause', ...hours(4) }],
    });
  });

  test('says nothing where nothing is known, or nothing lets it end', () => {
    expect(forecastRemaining({ ...facts, work: undefined }, at('12:00'))).toBeNull();
    expect(forecastRemaining({ ...facts, stage: 'verifying' }, at('12:00'))).toBeNull();
    const over = [{ from: '22:00', to: '04:00', dates: ['2026-11-20'] }];
    expect(forecastRemaining({ ...facts, windows: over }, at('12:00'))).toBeNull();
  });
});
