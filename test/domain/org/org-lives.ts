// Random orgs and lives for the property tests: small numbers often, edges always, a sweep that happens once.
import fc from 'fast-check';
import type { GateView } from '../../../src/domain/org/decide-floor.js';
import { createRateCard } from '../../../src/domain/rate-card/create-rate-card.js';
import type { LegacyRates, RateCard } from '../../../src/domain/rate-card/rate-card.js';
import type { OrgInputs } from '../../../src/domain/source/org-inputs.js';
import { sampleCard, secondCard } from '../rate-card/sample-card.js';
import { CREATED, CUTOVER } from './sample-org.js';

/** One visit of the rule in the life of an org. */
export interface LifeStep {
  /** `away`: it has left the source, and a night retires it. `unreadable`: nothing can be decided. */
  readonly kind: 'seen' | 'away' | 'unreadable';
  readonly card: RateCard;
  readonly inputs: OrgInputs;
  readonly days: number;
  readonly gate: GateView;
}

export interface Life {
  readonly steps: readonly LifeStep[];
}

const EDITIONS = [...sampleCard.editions.keys()];
const EDGES = [0n, 1n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 53n - 1n, 2n ** 53n + 1n, 2n ** 62n, 2n ** 63n - 1n];

const rate = fc.bigInt({ min: 0n, max: 4n });
const legacy: fc.Arbitrary<LegacyRates> = fc.oneof(
  rate.map((flat): LegacyRates => ({ kind: 'flat', flat: flat * 10n })),
  fc
    .tuple(rate, rate, rate)
    .map(
      ([perUser, min, more]): LegacyRates => ({ kind: 'perUser', perUser, min: min * 5n, max: (min + more * 9n) * 5n }),
    ),
);

/** Tiny rates, so that ties of rank, of legacy and plan, and of the doubled floor happen all the time. */
const tinyCard: fc.Arbitrary<RateCard> = fc
  .tuple(
    fc.boolean(),
    fc.array(fc.tuple(rate, rate, legacy), { minLength: EDITIONS.length, maxLength: EDITIONS.length }),
  )
  .map(([lightAgentsCountAsUsers, rows]) =>
    createRateCard({
      name: 'tiny',
      lightAgentsCountAsUsers,
      unpaid: 'free',
      editions: rows.map(([base, perAgent, rates], index) => ({
        edition: EDITIONS[index] ?? '',
        base,
        perAgent,
        concurrency: 1 + index,
        legacy: rates,
      })),
      costs: new Map(),
      cases: [],
    }),
  );

export const anyCard: fc.Arbitrary<RateCard> = fc.oneof(fc.constantFrom(sampleCard, secondCard), tinyCard);

/** The cards that a cell is applied with, the first, second and third. Made when they are asked for: they are slow. */
export interface Cards {
  at(place: number): RateCard;
}

/** Cards that may follow one while floors exist: the same legacy half, and the same order of editions. */
export const anyCards: fc.Arbitrary<Cards> = fc
  .tuple(anyCard, fc.array(fc.tuple(fc.bigInt({ min: 1n, max: 3n }), rate), { minLength: 2, maxLength: 2 }))
  .map(([first, changes]) => {
    const made = [first];
    const make = (place: number): RateCard => {
      const [factor, more] = changes[place - 1] ?? [1n, 0n];
      const editions = [...first.editions.values()].map((spec) => ({
        ...spec,
        base: spec.base * factor + more,
        perAgent: spec.perAgent * factor + more,
      }));
      return createRateCard({ ...first, editions });
    };
    return {
      at: (place) => {
        made[place] ??= make(place);
        return made[place];
      },
    };
  });

const heads = fc.oneof(fc.bigInt({ min: 0n, max: 12n }), fc.bigInt({ min: 0n, max: 6_000n }));
const limit = fc.oneof(fc.bigInt({ min: 0n, max: 60n }), fc.bigInt({ min: 0n, max: 3_000_000n }));

/** Orgs that can be decided. */
export const goodOrg: fc.Arbitrary<OrgInputs> = fc.record({
  edition: fc.constantFrom(...EDITIONS),
  paid: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  agents: heads,
  lightAgents: heads,
  additionalCredits: fc.oneof(fc.constant(0n), limit),
  negotiatedLimit: fc.option(limit, { freq: 3 }),
  createdAt: fc.constant(CREATED),
  duplicated: fc.constant(false),
});

const wildNumber = fc.option(fc.oneof(heads, fc.constantFrom(...EDGES, -1n, -(2n ** 63n))), { freq: 12 });

/** Orgs as a careless source has them: nulls, negatives, edges, unknown editions. */
export const wildOrg: fc.Arbitrary<OrgInputs> = fc.record({
  edition: fc.option(fc.constantFrom(...EDITIONS, 'Standard'), { freq: 12 }),
  paid: fc.option(fc.boolean(), { freq: 12 }),
  agents: wildNumber,
  lightAgents: wildNumber,
  additionalCredits: wildNumber,
  negotiatedLimit: wildNumber,
  createdAt: fc.option(fc.constant(CREATED), { freq: 12 }),
  duplicated: fc.integer({ min: 0, max: 12 }).map((one) => one === 0),
});

const kinds = fc.constantFrom<LifeStep['kind']>('seen', 'seen', 'seen', 'seen', 'seen', 'away', 'away', 'unreadable');
const days = fc.oneof(fc.constantFrom(0, 1, 29, 30, 31), fc.integer({ min: 0, max: 60 }));
const decidedAt = fc.constantFrom(null, new Date(CUTOVER.getTime() - 1), CUTOVER);
const created = fc.constantFrom(CREATED, new Date(CUTOVER.getTime() - 1), CUTOVER, new Date(CUTOVER.getTime() + 1));

/** Eight visits, each with some of the fields changed; `changes` picks the fields, so that most visits change few. */
export function anyLife(org: fc.Arbitrary<OrgInputs>, cards: fc.Arbitrary<Cards> = anyCards): fc.Arbitrary<Life> {
  const visit = fc.tuple(org, fc.array(fc.nat({ max: 5 }), { maxLength: 3 }), days, kinds);
  return fc
    .record({
      cards,
      changesAt: fc.tuple(fc.nat({ max: 24 }), fc.nat({ max: 24 })),
      first: org,
      createdAt: created,
      decidedAt,
      armedFrom: fc.nat({ max: 9 }),
      sweptFrom: fc.nat({ max: 9 }),
      visits: fc.array(visit, { minLength: 8, maxLength: 8 }),
    })
    .map(({ cards, changesAt, first, createdAt, visits, ...gates }) => {
      let inputs: OrgInputs = first.createdAt === null ? first : { ...first, createdAt };
      const steps = visits.map(([next, fields, passed, kind], index): LifeStep => {
        if (index > 0) inputs = changeFields(inputs, next, fields);
        const card = cards.at(changesAt.filter((at) => index > 0 && index >= at).length);
        return { kind, card, inputs, days: passed, gate: gateAt(index, gates) };
      });
      return { steps };
    });
}

interface Gates {
  readonly armedFrom: number;
  readonly sweptFrom: number;
  readonly decidedAt: Date | null;
}

/** Swept only when armed; once swept, swept for good. */
function gateAt(index: number, { armedFrom, sweptFrom, decidedAt }: Gates): GateView {
  const swept = index >= sweptFrom;
  const armed = swept || index >= armedFrom;
  return {
    effectiveAt: armed ? CUTOVER : null,
    sweptAt: swept ? new Date(CUTOVER.getTime() + 60_000) : null,
    decidedAt,
  };
}

function changeFields(org: OrgInputs, next: OrgInputs, fields: readonly number[]): OrgInputs {
  const parts: readonly Partial<OrgInputs>[] = [
    { edition: next.edition },
    { paid: next.paid },
    { agents: next.agents },
    { lightAgents: next.lightAgents },
    { additionalCredits: next.additionalCredits },
    { negotiatedLimit: next.negotiatedLimit },
  ];
  return Object.assign({ ...org }, ...fields.map((field) => parts[field]));
}
