// The gate of a data center: what each state of it leads to, and that it is never armed or latched too early.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideGate, isGateDue } from '../../../src/domain/rollout/decide-gate.js';
import type { DataCenterSnapshot, GateReading } from '../../../src/domain/rollout/snapshot.js';
import { STAGES } from '../../../src/domain/rollout/stage.js';
import { AWAY, cell, dc, FREEZE, LATER, NOW, UNARMED } from './sample-snapshot.js';

const BEFORE = new Date(NOW.getTime() - 1);
const ARMED = { configuredAt: LATER, effectiveAt: LATER };

const decide = (one: DataCenterSnapshot): readonly string[] => {
  const { steps, holds } = decideGate({ now: NOW, dataCenters: [one] }, one);
  return [...steps.map(({ kind }) => kind), ...holds.map(({ code }) => code)];
};

const at = (change: Partial<DataCenterSnapshot>, gate: Partial<GateReading> = {}): DataCenterSnapshot =>
  dc({ stage: 'done', cutoverAt: LATER, knownGate: { ...UNARMED, ...gate }, cell: cell({ gate }), ...change });

describe('decideGate', () => {
  test.each([
    ['without an instant nothing is armed', at({ cutoverAt: null }), []],
    ['what is verified and baked is armed', at({}), ['arm_gate']],
    ['an armed gate waits for its instant', at({}, ARMED), []],
    ['what was postponed is armed anew', at({}, { configuredAt: NOW, effectiveAt: LATER }), ['arm_gate']],
    ['at its instant it is latched', at({ cutoverAt: NOW }, { configuredAt: NOW, effectiveAt: NOW }), ['latch_gate']],
    [
      'while an earlier sign-up has not ended it shows who holds it, and keeps trying',
      at(
        {
          cutoverAt: NOW,
          cell: cell({ gate: { configuredAt: NOW, effectiveAt: NOW }, gateHolder: { pid: 7, since: BEFORE } }),
        },
        { configuredAt: NOW, effectiveAt: NOW },
      ),
      ['latch_gate', 'gate_busy'],
    ],
    ['a latched gate is over', at({ cutoverAt: NOW }, { ...ARMED, effectiveAt: BEFORE, latchedAt: NOW }), []],
    ['what loses its verification is disarmed', at({ stage: 'migrating' }, ARMED), ['disarm_gate']],
    [
      'after its instant nothing disarms it',
      at({ stage: 'migrating', cutoverAt: BEFORE }, { configuredAt: BEFORE, effectiveAt: BEFORE }),
      [],
    ],
    ['a freeze keeps it as it is', at({ cell: cell({ freeze: FREEZE }) }), []],
    ['a cell that cannot be read is left alone', at({ cell: AWAY }), []],
    ['a data center that nobody asked for is late', at({ stage: 'pending', cutoverAt: BEFORE }), ['cutover_late']],
    ['one that was asked for is on its way', at({ stage: 'pending', cutoverAt: BEFORE, requested: true }), []],
  ] as const)('%s', (_promise, one, expected) => {
    expect(decide(one)).toEqual(expected);
  });

  const instant = fc.integer({ min: -3, max: 3 }).map((hours) => new Date(NOW.getTime() + hours * 3_600_000));
  const gates = fc.record({
    configuredAt: fc.option(instant),
    effectiveAt: fc.option(instant),
    latchedAt: fc.option(instant),
    sweptAt: fc.constant(null),
  });

  test('never arms what is not done, never latches before the effective instant, never touches what is latched', () => {
    fc.assert(
      fc.property(fc.constantFrom(...STAGES), gates, fc.option(instant), (stage, gate, cutoverAt) => {
        const found = decide(at({ stage, cutoverAt }, gate));
        if (stage !== 'done') expect(found).not.toContain('arm_gate');
        if (gate.effectiveAt === null || gate.effectiveAt > NOW) expect(found).not.toContain('latch_gate');
        else expect(found).not.toContain('disarm_gate');
        if (gate.latchedAt !== null) expect(found.filter((word) => word.endsWith('_gate'))).toEqual([]);
      }),
    );
  });

  test('asks to read the cell whenever the cell could change the answer', () => {
    fc.assert(
      fc.property(fc.constantFrom(...STAGES), gates, fc.option(instant), (stage, gate, cutoverAt) => {
        const one = at({ stage, cutoverAt }, gate);
        if (decide(one).some((word) => word.endsWith('_gate'))) expect(isGateDue(one, NOW)).toBe(true);
      }),
    );
  });
});
