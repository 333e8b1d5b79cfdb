// Every golden case of docs/reference/life-of-an-org.md by its id, and the proposals they leave behind.
import { describe, expect, test } from 'vitest';
import type { Allotment } from '../../../src/domain/org/allotment.js';
import { sampleCard, secondCard } from '../rate-card/sample-card.js';
import { type GoldenCase, goldenCases } from './golden-cases.js';
import { addDays, decide, expectDecided, makeOrg, makePrior, OPEN, SWEPT, TODAY } from './sample-org.js';

/** The proposals that the cases leave behind; every other case leaves none. */
const PROPOSALS = new Map([
  ['X1', 1_000_000n],
  ['X3', 500_000n],
  ['G30', 75_000n],
]);
/** The negotiated limit stored before, where the case is about its change. */
const NEGOTIATED_BEFORE = new Map([['G30', 2_000_000n]]);
const CHANGED_NEGOTIATED = new Set(['X3', 'X8']);

function decideGolden(golden: GoldenCase): ReturnType<typeof decide> {
  const inputs = makeOrg({
    edition: golden.edition,
    paid: golden.paid,
    agents: golden.agents,
    lightAgents: golden.lightAgents,
    negotiatedLimit: golden.negotiated,
    additionalCredits: golden.additional,
  });
  const card = golden.card === 'second' ? secondCard : sampleCard;
  // G17: nothing is stored and the org is not before the cut-over; "no floor" of a sign-up at the instant.
  const atInstant = golden.id === 'G17' ? { decidedAt: SWEPT.effectiveAt } : {};
  const gate = { ...(golden.window === 'open' ? OPEN : SWEPT), ...atInstant };
  const prior = golden.id === 'G17' ? null : makeGoldenPrior(golden);
  return decide({ inputs, card, gate, prior });
}

function makeGoldenPrior(golden: GoldenCase): Allotment | null {
  const { before } = golden;
  if (before.kind === 'first') return null;
  if (before.kind === 'noFloor') return makePrior({ edition: 'free', paid: false });
  const unpaidSince = before.unpaidDays === null ? null : addDays(TODAY, -before.unpaidDays);
  const same = CHANGED_NEGOTIATED.has(golden.id) ? null : golden.negotiated;
  const negotiatedLimit = NEGOTIATED_BEFORE.get(golden.id) ?? same;
  const stored = { floor: before.floor, floorEdition: before.edition, unpaidSince, negotiatedLimit };
  return makePrior({ edition: before.edition, paid: unpaidSince === null }, stored);
}

describe('decideOrg on the golden cases', () => {
  test('holds all of G1 to G30 and X1 to X12', () => {
    const ids = (letter: string, count: number): string[] =>
      Array.from({ length: count }, (_, i) => `${letter}${i + 1}`);
    expect(goldenCases.map((golden) => golden.id)).toEqual([...ids('G', 30), ...ids('X', 12)]);
  });

  for (const golden of goldenCases) {
    const { id, title, expect: terms } = golden;
    if (terms === null) {
      test(`${id} quarantines: ${title}`, () => {
        expect(decideGolden(golden)).toEqual({ kind: 'quarantine', reason: 'overflow' });
      });
      continue;
    }
    test(`${id} comes out exactly: ${title}`, () => {
      const { allotment, proposedFloor } = expectDecided(decideGolden(golden));
      expect({
        base: allotment.baseCredits,
        variable: allotment.variableCredits,
        legacyLimit: allotment.legacyLimit,
        floor: allotment.floor,
        grandfathered: allotment.grandfatheredCredits,
        total: allotment.totalCredits,
        winner: allotment.winner,
        concurrency: allotment.concurrencyLimit,
      }).toEqual(terms);
      expect(proposedFloor).toBe(PROPOSALS.get(id) ?? null);
    });
  }
});
