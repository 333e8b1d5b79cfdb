// What `status`, `wait` and the holds advise, in every stage, for every kind of run: only commands that fit there.
import { describe, expect, test } from 'vitest';
import { type NextFacts, nextCommand } from '../../../src/domain/rollout/data-center-state.js';
import { decideDataCenter } from '../../../src/domain/rollout/decide-data-center.js';
import { listFittingVerbs, STAGE_VERBS, type StageVerb } from '../../../src/domain/rollout/fitting-verbs.js';
import type { ReleaseCommand } from '../../../src/domain/rollout/hold.js';
import type { DataCenterSnapshot, GateReading } from '../../../src/domain/rollout/snapshot.js';
import { INTENTS, STAGES, type Stage } from '../../../src/domain/rollout/stage.js';
import { AWAY, cell, dc, LATER, NOW, PLANS, UNARMED } from './sample-snapshot.js';

const NOTHING: NextFacts = { now: NOW, plan: undefined, failure: null, repair: undefined };
const FACTS: readonly NextFacts[] = [
  NOTHING,
  { ...NOTHING, plan: { planId: 'eu-9', step: 'apply' } },
  { ...NOTHING, failure: 'undo_lost' },
  { ...NOTHING, failure: 'verification_mismatch' },
  { ...NOTHING, failure: 'seal_used' },
  { ...NOTHING, failure: 'verification_mismatch', repair: { state: 'applied', name: 'eu-p1' } },
];
const LATCHED: GateReading = { configuredAt: NOW, effectiveAt: NOW, latchedAt: NOW, sweptAt: null };
const GATES: readonly GateReading[] = [UNARMED, { ...UNARMED, configuredAt: LATER, effectiveAt: LATER }, LATCHED];

/** Everything that the position of a data center may be, and what can be known of its cell. */
function* positions(stage: Stage): Generator<DataCenterSnapshot> {
  for (const intent of INTENTS)
    for (const requested of intent === 'abort' ? [false] : [false, true])
      for (const undoRequested of requested ? [false] : [false, true])
        for (const undoFailed of stage === 'failed' ? [false, true] : [false])
          for (const gate of GATES)
            for (const reading of [cell({ gate, run: { pending: 0 } }), AWAY])
              for (const plan of [PLANS.none, PLANS.lost])
                yield dc({
                  ...{ stage, intent, requested, undoRequested, undoFailed, plan, knownGate: gate, cell: reading },
                  ...(intent === 'pause' && { pause: { since: NOW, by: 'ana', reason: null, until: null } }),
                  ...{ cutoverAt: gate.configuredAt, cutoverLocal: null },
                });
}

const isStageVerb = (verb: string): verb is StageVerb => STAGE_VERBS.some((one) => one === verb);

function fits({ verb, args }: ReleaseCommand, dataCenters: readonly DataCenterSnapshot[]): boolean {
  const named = dataCenters.find(({ id }) => id === args[1]) ?? dataCenters[0];
  if (!isStageVerb(verb) || named === undefined) return true;
  const { stage, intent, requested, undoRequested, undoFailed, knownGate } = named;
  if (verb === 'undo' && undoRequested === true) return false;
  const at = { stage, intent, undoFailed, gateLatchedAt: knownGate.latchedAt };
  return listFittingVerbs({ ...at, requestedAt: requested ? NOW : null }).includes(verb);
}

const show = (one: DataCenterSnapshot, { verb, args }: ReleaseCommand): string =>
  [one.intent, one.requested && 'requested', one.undoRequested && 'undo requested', one.undoFailed && 'undo failed']
    .filter(Boolean)
    .concat(`${verb} ${args.join(' ')}`)
    .join(', ');

describe('in the stage', () => {
  test.each(STAGES)('%s only commands that fit are advised', (stage) => {
    const wrong = new Set<string>();
    let advised = 0;
    for (const one of positions(stage)) {
      const { holds } = decideDataCenter({ now: NOW, dataCenters: [one] }, one);
      const releases = holds.map(({ release }) => release).filter((release) => release.kind === 'command');
      for (const release of [...releases, ...FACTS.map((facts) => nextCommand(one, holds, facts))]) {
        advised += 1;
        if (!fits(release, [one])) wrong.add(show(one, release));
      }
    }
    expect([...wrong]).toEqual([]);
    expect(advised).toBeGreaterThan(100);
  });

  test.each(STAGES)('%s what another one waits for is a command that fits', (stage) => {
    const wrong = new Set<string>();
    for (const one of positions(stage)) {
      const after = dc({ id: 'in', position: 2, requested: true });
      const all = [one, after];
      const { holds } = decideDataCenter({ now: NOW, dataCenters: all }, after);
      for (const { release } of holds)
        if (release.kind === 'command' && !fits(release, all)) wrong.add(show(one, release));
    }
    expect([...wrong]).toEqual([]);
  });
});

describe('after an undo that failed', () => {
  const failed = (gate: GateReading): DataCenterSnapshot =>
    dc({ stage: 'failed', undoFailed: true, knownGate: gate, cell: cell({ gate }) });
  const next = (one: DataCenterSnapshot): string => {
    const { verb, args } = nextCommand(one, [], { ...NOTHING, failure: 'rule_violation' });
    return [verb, ...args].join(' ');
  };

  test('it is asked for again', () => {
    expect(next(failed(UNARMED))).toBe('undo --dc eu');
  });

  test('it is rolled out again once its cut-over has begun', () => {
    expect(next(failed(LATCHED))).toBe('apply --dc eu --execute');
    expect(next(failed({ ...LATCHED, latchedAt: null }))).toBe('apply --dc eu --execute');
  });

  test('the next data center waits for the same command', () => {
    const after = dc({ id: 'in', position: 2, requested: true });
    const { holds } = decideDataCenter({ now: NOW, dataCenters: [failed(UNARMED), after] }, after);
    expect(holds.find(({ code }) => code === 'predecessor_failed')?.release).toMatchObject({ verb: 'undo' });
  });

  test('one that is asked for is waited for', () => {
    expect(next({ ...failed(UNARMED), undoRequested: true })).toBe('wait --dc eu');
  });
});
