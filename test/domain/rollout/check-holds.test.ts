// What the checks hold is told as it is now: also when every check is below its limit again.
import { describe, expect, test } from 'vitest';
import { UNDECIDED } from '../../../src/domain/checks/decide-throttle.js';
import { throttleHold } from '../../../src/domain/rollout/check-holds.js';
import { cell, dc, NOW } from './sample-snapshot.js';

const heldWith = (value: number) => {
  const throttle = { ...UNDECIDED, lanes: 0, changedAt: NOW, sampledAt: NOW };
  const readings = [{ check: { name: 'lag', limit: 5_000 }, value, error: null, sampledAt: NOW }];
  const checks = { now: NOW, readings, write: throttle, read: throttle, asked: [] };
  return throttleHold(dc({ cell: { ...cell(), checks } }), 0, 'write');
};

describe('throttleHold', () => {
  test('says that it waits for the check while that is at its limit', () => {
    expect(heldWith(12_000)).toMatchObject({
      code: 'throttled',
      value: 'lag 12 s',
      limit: '5 s',
      release: { note: 'it goes on by itself once the check passes' },
    });
  });

  test('says that it waits for more readings once the check is below its limit again', () => {
    expect(heldWith(300)).toMatchObject({
      code: 'throttled',
      value: 'lag 300 ms',
      limit: '5 s',
      release: { note: 'it goes on by itself after 3 readings in a row that are well below it' },
    });
  });
});
