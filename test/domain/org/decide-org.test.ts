// Single rules and the sequences of docs/reference/life-of-an-org.md that need no database.
import { describe, expect, test } from 'vitest';
import type { Allotment } from '../../../src/domain/org/allotment.js';
import type { DecidedOrg } from '../../../src/domain/org/decide-org.js';
import type { OrgInputs } from '../../../src/domain/source/org-inputs.js';
import { changeCard } from '../rate-card/sample-card.js';
import { addDays, CUTOVER, decide, expectDecided, makeOrg, makePrior, OPEN, SWEPT, TODAY } from './sample-org.js';

/**
 * A life after a first decision in an open window; swept from the second step on. Each step: days later, and what
 * changed.
 */
function liveOn(first: Partial<OrgInputs>, steps: readonly (readonly [number, Partial<OrgInputs>])[]): bigint[] {
  let inputs = makeOrg(first);
  let today = TODAY;
  let prior: Allotment = expectDecided(decide({ inputs, today })).allotment;
  const totals = [prior.totalCredits];
  for (const [days, fields] of steps) {
    inputs = { ...inputs, ...fields };
    today = addDays(today, days);
    prior = expectDecided(decide({ inputs, today, prior, gate: SWEPT })).allotment;
    totals.push(prior.totalCredits);
  }
  return totals;
}

const later = (prior: Allotment, inputs: Partial<OrgInputs>, gate = SWEPT): DecidedOrg =>
  expectDecided(decide({ prior, inputs: makeOrg(inputs), gate }));

describe('decideOrg in sequences', () => {
  test('keeps 150,000 through seats up and down (G7, G22, G23)', () => {
    expect(
      liveOn({}, [
        [1, { agents: 400n }],
        [1, { agents: 100n }],
      ]),
    ).toEqual([150_000n, 150_000n, 150_000n]);
  });

  test('gives 225,000 for an upgrade and 150,000 on the way back', () => {
    const steps = [
      [1, { edition: 'professional' }],
      [1, { edition: 'standard', agents: 100n }],
    ] as const;
    expect(liveOn({}, steps)).toEqual([150_000n, 225_000n, 150_000n]);
  });

  test('gives a floor back within the grace and never after it', () => {
    const unpaid = { paid: false };
    const paid = { paid: true };
    const steps = [
      [1, unpaid],
      [20, paid],
      [1, unpaid],
      [45, paid],
      [1, unpaid],
      [1, paid],
    ] as const;
    const expected = [150_000n, 5_000n, 150_000n, 5_000n, 125_000n, 5_000n, 125_000n];
    expect(liveOn({}, steps)).toEqual(expected);
  });

  test('adds purchases after the maximum and takes only them away (G12)', () => {
    const steps = [
      [1, { additionalCredits: 0n }],
      [1, { additionalCredits: 5_000n }],
    ] as const;
    expect(liveOn({ additionalCredits: 10_000n }, steps)).toEqual([160_000n, 150_000n, 155_000n]);
  });
});

describe('decideOrg on floors', () => {
  test.each([
    [30, 150_000n],
    [31, null],
  ] as const)('after %d unpaid days leaves the floor at %s', (days, floor) => {
    const prior = makePrior({}, { paid: false, unpaidSince: addDays(TODAY, -days) });
    expect(later(prior, {}).allotment.floor).toBe(floor);
    expect(later(prior, { paid: false }).allotment.floor).toBe(floor);
  });

  test('keeps the first unpaid date and the edition of a resting floor', () => {
    const prior = makePrior({}, { paid: false, unpaidSince: '2026-02-01' });
    const { allotment } = later(prior, { paid: false, edition: 'express' });
    expect(allotment).toMatchObject({ unpaidSince: '2026-02-01', floorEdition: 'standard', totalCredits: 5_000n });
  });

  test('sets no floor for an org created at the instant, and one for an org created just before', () => {
    const gate = { ...OPEN, effectiveAt: CUTOVER };
    const at = makeOrg({ createdAt: CUTOVER });
    const before = makeOrg({ createdAt: new Date(CUTOVER.getTime() - 1) });
    expect(expectDecided(decide({ inputs: at, gate })).allotment.floor).toBeNull();
    expect(expectDecided(decide({ inputs: before, gate })).allotment.floor).toBe(150_000n);
  });

  test('believes the recorded sign-up decision before the creation date', () => {
    const inputs = makeOrg({ createdAt: CUTOVER });
    const gate = { ...SWEPT, decidedAt: new Date(CUTOVER.getTime() - 1) };
    expect(expectDecided(decide({ inputs, gate })).allotment.floor).toBe(150_000n);
  });

  test('goes by what the gate answered, whatever the clocks say of when it was', () => {
    const [before, after] = [-1, 1].map((ms) => new Date(CUTOVER.getTime() + ms));
    const floorOf = (model: 'legacy' | 'credits', at: Date | undefined) => {
      const gate = { ...SWEPT, decidedAt: at ?? null, model };
      return expectDecided(decide({ inputs: makeOrg({ createdAt: at ?? null }), gate })).allotment.floor;
    };
    expect(floorOf('legacy', after)).toBe(150_000n);
    expect(floorOf('credits', before)).toBeNull();
  });

  test('raises to exactly twice the floor by the formula, and proposes one more', () => {
    const prior = makePrior({ agents: 100n });
    expect(later(prior, { agents: 200n }, OPEN)).toMatchObject({ proposedFloor: null, allotment: { floor: 100_000n } });
    const beyond = later(prior, { agents: 201n }, OPEN);
    expect(beyond).toMatchObject({ proposedFloor: 100_500n, allotment: { floor: 50_000n } });
  });

  test('raises by a negotiated limit to any height while the window is open', () => {
    const raised = later(makePrior({ agents: 100n }), { agents: 100n, negotiatedLimit: 5_000_000n }, OPEN);
    expect(raised).toMatchObject({ proposedFloor: null, movement: 'raise', allotment: { floor: 5_000_000n } });
  });

  test('records the lower edition even when the floor stays', () => {
    const prior = makePrior({ edition: 'professional', agents: 50n });
    const { allotment } = later(prior, { edition: 'standard', agents: 300n });
    expect(allotment).toMatchObject({ floor: 50_000n, floorEdition: 'standard' });
  });

  test('keeps the edition of the floor on a sideways move and on an upgrade', () => {
    const prior = makePrior({ edition: 'enterprise' });
    expect(later(prior, { edition: 'crm_plus', agents: 1n }).allotment.floorEdition).toBe('enterprise');
    expect(later(makePrior(), { edition: 'zoho_one' }).allotment.floorEdition).toBe('standard');
  });

  test('does not lower for an edition of the floor that the card no longer has', () => {
    const prior = makePrior({}, { floorEdition: 'retired' });
    expect(later(prior, { edition: 'express', agents: 1n }).allotment).toMatchObject({
      floor: 150_000n,
      floorEdition: 'retired',
    });
  });

  test('takes the edition order from the card at hand', () => {
    const flattened = changeCard((spec) => ({ ...spec, base: 5_000n, perAgent: 0n }));
    const inputs = makeOrg({ edition: 'express', agents: 1n });
    const decision = expectDecided(decide({ prior: makePrior(), inputs, card: flattened, gate: SWEPT }));
    expect(decision.allotment.floor).toBe(150_000n);
  });

  test('raises under a lower edition too while the window is open', () => {
    const prior = makePrior({ edition: 'professional', agents: 100n });
    const { allotment } = later(prior, { edition: 'standard', agents: 300n }, OPEN);
    expect(allotment).toMatchObject({ floor: 150_000n, floorEdition: 'standard' });
  });

  test('proposes a removed negotiated limit after the sweep, once', () => {
    const prior = makePrior({ negotiatedLimit: 400_000n });
    const removed = later(prior, {});
    expect(removed).toMatchObject({ proposedFloor: 150_000n, allotment: { floor: 400_000n } });
    expect(later(removed.allotment, {}).proposedFloor).toBeNull();
  });

  test('grants a floor of 2^63-1 and quarantines it with one bought credit', () => {
    const negotiatedLimit = 2n ** 63n - 1n;
    const granted = expectDecided(decide({ inputs: makeOrg({ negotiatedLimit }) }));
    expect(granted.allotment.totalCredits).toBe(negotiatedLimit);
    const more = decide({ inputs: makeOrg({ negotiatedLimit, additionalCredits: 1n }) });
    expect(more).toEqual({ kind: 'quarantine', reason: 'overflow' });
  });
});

describe('decideOrg on movements', () => {
  test.each([
    ['first', null, {}],
    ['same', makePrior(), {}],
    ['inputs', makePrior(), { lightAgents: 5n }],
    ['inputs', makePrior(), { agents: 301n }],
    ['raise', makePrior(), { agents: 900n }],
    ['raise', makePrior(), { additionalCredits: 1n }],
    ['fall', makePrior(), { paid: false }],
    ['fall', makePrior({ additionalCredits: 1n }), {}],
    ['fall', makePrior({ agents: 900n }), { edition: 'express', agents: 2_000n, negotiatedLimit: 7n }],
  ] as const)('calls it %s', (movement, prior, inputs) => {
    expect(expectDecided(decide({ prior, inputs: makeOrg(inputs), gate: SWEPT })).movement).toBe(movement);
  });

  test('calls a higher floor under the same total a raise, and a lower one a fall', () => {
    const small = makePrior({ edition: 'enterprise', agents: 10n });
    expect(later(small, { edition: 'enterprise', agents: 10n, negotiatedLimit: 90_000n }, OPEN).movement).toBe('raise');
    const lower = makePrior(
      {},
      { floor: 60_000n, floorEdition: 'enterprise', grandfatheredCredits: 0n, totalCredits: 75_000n },
    );
    expect(later(lower, { agents: 100n, negotiatedLimit: 5n }).movement).toBe('fall');
  });

  test('calls it a fall when the total falls while the floor rises', () => {
    const prior = makePrior({ additionalCredits: 500_000n });
    expect(later(prior, { agents: 310n }, OPEN)).toMatchObject({ movement: 'fall', allotment: { floor: 155_000n } });
  });

  test('names the rule that decided', () => {
    expect(later(makePrior(), {}).because).toEqual(['The floor is kept.']);
    expect(later(makePrior({ edition: 'professional' }), {}).because).toEqual([
      'The edition is below professional: the floor falls from 300,000 to 150,000.',
    ]);
    const lapsed = makePrior({}, { unpaidSince: '2026-01-01' });
    expect(later(lapsed, {}).because).toEqual([
      'It was unpaid since 2026-01-01, for more than 30 days: the floor of 150,000 ended.',
      'It has no floor, and after the sweep only a first decision sets one.',
    ]);
  });
});
