// Where a cut-over is, and what may still be done about it.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CUTOVER_STATES,
  type CutoverFacts,
  nameCutover,
  rejectExecution,
  rejectMove,
  rejectReversal,
} from '../../../src/domain/cutover/cutover.js';
import type { GateReading } from '../../../src/domain/rollout/snapshot.js';
import { formatAdvice } from '../../../src/kernel/advice.js';

const at = (hour: number): Date => new Date(Date.UTC(2025, 9, 30, hour));
const UNARMED: GateReading = { configuredAt: null, effectiveAt: null, latchedAt: null, sweptAt: null };
const facts = (change: Partial<CutoverFacts> = {}): CutoverFacts => ({
  now: at(10),
  cutoverAt: at(12),
  cutoverLocal: 'noon UTC',
  notBeforeAt: null,
  notBeforeLocal: null,
  gate: UNARMED,
  ...change,
});
const gate = (change: Partial<GateReading>): GateReading => ({ ...UNARMED, configuredAt: at(12), ...change });
const LATCHED = gate({ effectiveAt: at(8), latchedAt: at(9) });

describe('nameCutover', () => {
  test.each([
    ['none', facts({ cutoverAt: null })],
    ['planned', facts()],
    ['late', facts({ now: at(12) })],
    ['armed', facts({ gate: gate({ effectiveAt: at(12) }) })],
    ['due', facts({ now: at(12), gate: gate({ effectiveAt: at(12) }) })],
    ['due', facts({ now: at(13), gate: gate({ effectiveAt: at(12) }) })],
    ['latched', facts({ gate: LATCHED })],
    ['swept', facts({ gate: { ...LATCHED, sweptAt: at(10) } })],
  ] as const)('names it %s', (state, given) => {
    expect(nameCutover(given)).toBe(state);
  });
});

describe('rejectMove', () => {
  const to = (hour: number) => ({ at: at(hour), local: `${hour} o'clock UTC` });

  test.each([
    ['later', facts(), 14],
    ['earlier, as long as that is to come', facts(), 11],
    ['when it is late', facts({ now: at(13) }), 14],
    ['when it is armed', facts({ gate: gate({ effectiveAt: at(12) }) }), 14],
    ['where there was none', facts({ cutoverAt: null }), 14],
    ['to the very start of the rollout', facts({ notBeforeAt: at(14) }), 14],
  ])('lets it move %s', (_case, given, hour) => {
    expect(rejectMove(given, to(hour))).toBeUndefined();
  });

  test.each([
    ['into the past', facts(), 9, 'is past', 'a later one with --to'],
    ['to this moment', facts(), 10, 'is past', 'a later one with --to'],
    ['to where it is', facts(), 12, 'is already its instant', 'another one with --to'],
    [
      'before the rollout may start',
      facts({ notBeforeAt: at(15), notBeforeLocal: 'three' }),
      14,
      'before rollout.notBefore, three',
      'a later one with --to',
    ],
    [
      'once it took effect',
      facts({ now: at(12), gate: gate({ effectiveAt: at(12) }) }),
      14,
      'it took effect at',
      'cutover reverse --dc ID',
    ],
    ['once it was latched', facts({ gate: LATCHED }), 14, 'cannot be postponed', 'cutover reverse --dc ID'],
  ])('does not let it move %s, and gives the reason', (_case, given, hour, why, next) => {
    const rejection = rejectMove(given, to(hour));
    expect(rejection?.why).toContain(why);
    expect(formatAdvice(rejection?.next ?? '')).toContain(next);
  });
});

describe('rejectReversal', () => {
  test.each([
    ['what has not come', facts(), 14, 'nothing to reverse', 'cutover postpone --dc ID'],
    [
      'what is not latched yet',
      facts({ now: at(13), gate: gate({ effectiveAt: at(12) }) }),
      14,
      'is not final (latched) yet',
      'cutover execute --dc ID',
    ],
    ['for the past', facts({ gate: LATCHED }), 9, 'is past', 'a later one with --to'],
  ])('rejects %s, and suggests what to do', (_case, given, hour, why, next) => {
    const rejection = rejectReversal(given, { at: at(hour), local: '' });
    expect(rejection?.why).toContain(why);
    expect(formatAdvice(rejection?.next ?? '')).toContain(next);
  });

  test('lets a latched one be taken back for what is to come', () => {
    expect(rejectReversal(facts({ gate: LATCHED }), { at: at(14), local: '' })).toBeUndefined();
  });
});

describe('rejectExecution', () => {
  test.each([
    ['none', facts({ cutoverAt: null }), 'it has no instant', 'Set signups.cutover'],
    ['before its instant', facts(), 'noon UTC, has not come', 'cutover postpone --dc ID'],
    [
      'armed, before its instant',
      facts({ gate: gate({ effectiveAt: at(12) }) }),
      'noon UTC, has not come',
      'cutover postpone --dc ID',
    ],
  ])('rejects: %s', (_case, given, why, next) => {
    const rejection = rejectExecution(given, 'done');
    expect(rejection?.why).toContain(why);
    expect(formatAdvice(rejection?.next ?? '')).toContain(next);
  });

  test('rejects a late one while its data center is not done, and then no more', () => {
    expect(rejectExecution(facts({ now: at(13) }), 'baking')?.why).toContain('stage baking');
    expect(rejectExecution(facts({ now: at(13) }), 'done')).toBeUndefined();
  });

  test('never lets through what has not come, and never rejects what took effect', () => {
    const hour = fc.integer({ min: 0, max: 23 });
    fc.assert(
      fc.property(hour, hour, fc.option(hour), fc.constantFrom('done', 'baking'), (now, cutover, effective, stage) => {
        const given = facts({
          now: at(now),
          cutoverAt: at(cutover),
          gate: effective === null ? UNARMED : gate({ effectiveAt: at(effective) }),
        });
        const rejection = rejectExecution(given, stage);
        expect(CUTOVER_STATES).toContain(nameCutover(given));
        if (now < (effective ?? cutover)) expect(rejection).toBeDefined();
        if (effective !== null && effective <= now) {
          expect(rejection).toBeUndefined();
          expect(rejectMove(given, { at: at(23), local: '' })).toBeDefined();
        }
      }),
    );
  });
});
