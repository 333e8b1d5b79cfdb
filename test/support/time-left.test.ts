// How long a run still takes: what is left at the pace of what is done, shared among workers.
import { describe, expect, test } from 'vitest';
import { estimateTimeLeft, type TimedFile } from './time-left.js';

const files = (count: number, expected: number, ranMs: number): readonly TimedFile[] =>
  Array.from({ length: count }, () => ({ expected, ranMs }));

describe('estimateTimeLeft', () => {
  test('knows nothing before a file has ended', () => {
    expect(estimateTimeLeft([], files(3, 10, 500), 3, 'durations')).toBeUndefined();
  });

  test('shares what is left among the workers, at the pace of what is done', () => {
    const left = estimateTimeLeft(files(20, 10, 20), files(30, 10, 0), 3, 'durations');
    expect(left?.fromMs).toBeCloseTo(200 * 0.85);
    expect(left?.toMs).toBeCloseTo(200 * 1.15);
  });

  test('is never shorter than the longest file that is left', () => {
    const left = estimateTimeLeft(files(20, 10, 20), [...files(1, 300, 0), ...files(1, 10, 0)], 3, 'durations');
    expect(left?.fromMs).toBeCloseTo(600 * 0.85);
  });

  test('reaches from the pace of all files to that of the latest, where the short ones are slower than expected', () => {
    const left = estimateTimeLeft([...files(15, 10, 10), ...files(15, 10, 30)], files(30, 10, 0), 1, 'durations');
    expect(left?.fromMs).toBeCloseTo(600 * 0.85);
    expect(left?.toMs).toBeCloseTo(900 * 1.15);
  });

  test('expects more time where long files run on while the quick ones end', () => {
    const finished = files(1, 10, 10);
    const waiting = files(10, 10, 0);
    const alone = estimateTimeLeft(finished, waiting, 3, 'durations');
    const beside = estimateTimeLeft(finished, [...files(2, 10, 100), ...waiting], 3, 'durations');
    expect(beside?.toMs).toBeGreaterThan((alone?.toMs ?? 0) * 5);
  });

  test('may take twice as long by guesses as by durations', () => {
    const [byGuesses, byDurations] = (['guesses', 'durations'] as const).map((basis) =>
      estimateTimeLeft(files(20, 10, 20), files(30, 10, 0), 3, basis),
    );
    expect(byGuesses?.toMs).toBeCloseTo(400);
    expect(byGuesses?.fromMs).toBe(byDurations?.fromMs);
  });
});
