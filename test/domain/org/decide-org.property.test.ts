// Random orgs and lives against the promises of docs/reference/domain.md and against a second statement of the rule.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Allotment } from '../../../src/domain/org/allotment.js';
import { decideOrg, type OrgDecision, type OrgQuestion } from '../../../src/domain/org/decide-org.js';
import { anyCard, anyLife, goodOrg, type Life, wildOrg } from './org-lives.js';
import { addDays, OPEN, TODAY } from './sample-org.js';
import { type SecondAnswer, secondStatement } from './second-statement.js';

const RUNS = { numRuns: 1_000 };

interface Visit {
  readonly question: OrgQuestion;
  readonly decision: OrgDecision;
}

/** Carries the stored allotment from visit to visit; a quarantined visit leaves it as it is, an absence retires it. */
function live({ steps }: Life): readonly Visit[] {
  let prior: Allotment | null = null;
  let priorState: 'stored' | 'retired' = 'stored';
  let today = TODAY;
  return steps.flatMap(({ kind, card, inputs, days, gate }) => {
    today = addDays(today, days);
    if (kind === 'away' && prior !== null) priorState = 'retired';
    if (kind !== 'seen') return [];
    const question: OrgQuestion = { inputs, card, prior, priorState, gate, today, lapseGraceDays: 30 };
    const decision = decideOrg(question);
    if (decision.kind === 'decided') {
      prior = decision.allotment;
      priorState = 'stored';
    }
    return [{ question, decision }];
  });
}

function summarize(decision: OrgDecision): SecondAnswer {
  if (decision.kind === 'quarantine') {
    const none = { floor: null, floorEdition: null, unpaidSince: null, proposal: null };
    return { quarantine: decision.reason, plan: 0n, total: 0n, ...none };
  }
  const { floor, floorEdition, unpaidSince, totalCredits, baseCredits, variableCredits } = decision.allotment;
  const plan = baseCredits + variableCredits;
  const proposal = decision.proposedFloor;
  return { quarantine: null, plan, floor, floorEdition, unpaidSince, total: totalCredits, proposal };
}

/** Runs `check` on every decided visit of many lives. */
function onLives(check: (allotment: Allotment, question: OrgQuestion, decision: OrgDecision) => void): void {
  const lives = fc.oneof(anyLife(goodOrg), anyLife(wildOrg));
  fc.assert(
    fc.property(lives, (life) => {
      for (const { question, decision } of live(life)) {
        if (decision.kind === 'decided') check(decision.allotment, question, decision);
      }
    }),
    RUNS,
  );
}

describe('decideOrg over random lives', () => {
  test('agrees with the second statement of the rule', () => {
    const lives = fc.oneof(anyLife(goodOrg), anyLife(wildOrg));
    fc.assert(
      fc.property(lives, (life) => {
        for (const { question, decision } of live(life)) {
          expect(summarize(decision)).toEqual(secondStatement(question));
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test('never grants a paid org less than its floor, nor less than its plan and purchases', () => {
    onLives((allotment) => {
      const plan = allotment.baseCredits + allotment.variableCredits;
      const kept = plan + allotment.grandfatheredCredits;
      if (allotment.paid) expect(kept >= (allotment.floor ?? 0n)).toBe(true);
      if (!allotment.paid) expect(allotment.grandfatheredCredits).toBe(0n);
      expect(allotment.totalCredits).toBe(kept + allotment.additionalCredits);
      expect(allotment.winner).toBe(kept > plan ? 'legacy' : 'credits');
    });
  });

  test('comes to the same allotment when it decides again', () => {
    onLives((allotment, question) => {
      expect(decideOrg({ ...question, prior: allotment, priorState: 'stored' })).toMatchObject({
        kind: 'decided',
        movement: 'same',
        allotment,
      });
    });
  });

  test('after the sweep sets and raises no floor except by a first decision', () => {
    onLives((allotment, { prior, gate }) => {
      if (gate.sweptAt === null || prior === null) return;
      expect(allotment.floor === null || (prior.floor !== null && allotment.floor <= prior.floor)).toBe(true);
    });
  });

  test('lets a floor fall only by edition or lapse', () => {
    onLives((allotment, { prior, card, today }) => {
      if (prior === null || prior.floor === null) return;
      if (allotment.floor !== null && allotment.floor >= prior.floor) return;
      const lapsed = prior.unpaidSince !== null && addDays(prior.unpaidSince, 30) < today;
      const rank = (edition: string | null): number => card.editions.get(edition ?? '')?.rank ?? -1;
      const lower = allotment.paid && rank(allotment.edition) < rank(prior.floorEdition);
      expect(lapsed || (lower && allotment.floor !== null)).toBe(true);
    });
  });

  test('records an edition exactly with a floor, and an unpaid date exactly with the unpaid', () => {
    onLives((allotment) => {
      expect(allotment.floorEdition === null).toBe(allotment.floor === null);
      expect(allotment.unpaidSince === null).toBe(allotment.paid);
    });
  });

  test('moves the total and the floor as its movement names it', () => {
    onLives((allotment, { prior, priorState }, decision) => {
      if (decision.kind !== 'decided' || prior === null) return;
      if (priorState === 'retired') return expect(decision.movement).toBe('first');
      const floors = [allotment.floor ?? -1n, prior.floor ?? -1n] as const;
      const falls = allotment.totalCredits < prior.totalCredits || floors[0] < floors[1];
      const raises = allotment.totalCredits > prior.totalCredits || floors[0] > floors[1];
      expect(decision.movement === 'fall').toBe(falls);
      expect(decision.movement === 'raise').toBe(raises && !falls);
    });
  });
});

describe('decideOrg over random orgs', () => {
  test('grants more for more negotiated, more agents and more bought', () => {
    const more = fc.bigInt({ min: 0n, max: 1_000n });
    fc.assert(
      fc.property(anyCard, goodOrg, more, (card, inputs, step) => {
        const base = { card, prior: null, gate: OPEN, today: TODAY, lapseGraceDays: 30 };
        const total = (org: typeof inputs): bigint => {
          const decision = decideOrg({ ...base, inputs: org });
          return decision.kind === 'decided' ? decision.allotment.totalCredits : -1n;
        };
        const agents = (inputs.agents ?? 0n) + step;
        const additionalCredits = (inputs.additionalCredits ?? 0n) + step;
        const negotiatedLimit = inputs.negotiatedLimit === null ? null : inputs.negotiatedLimit + step;
        expect(total({ ...inputs, agents }) >= total(inputs)).toBe(true);
        expect(total({ ...inputs, negotiatedLimit }) >= total(inputs)).toBe(true);
        expect(total({ ...inputs, additionalCredits })).toBe(total(inputs) + step);
      }),
      RUNS,
    );
  });
});
