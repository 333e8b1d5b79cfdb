// Guard-rails: every one can hold a plan and let it pass, at its limit and one beyond, with sums of any size.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { GuardRails } from '../../../src/domain/config/rollout-config.js';
import { isInsideRails, RAILS, type Rail, readGuardRails } from '../../../src/domain/plan/guard-rails.js';
import type { PlanCounts } from '../../../src/domain/plan/plan-report.js';
import { anySum, everyRail, makeCounts, UNSHRUNK } from './sample-plan.js';

function read(rail: Rail, counts: Partial<PlanCounts>, rails: Partial<GuardRails> = {}) {
  const readings = readGuardRails(makeCounts(counts), { ...everyRail, ...rails });
  return readings.find((reading) => reading.rail === rail);
}

const passes = (rail: Rail, counts: Partial<PlanCounts>, rails: Partial<GuardRails> = {}): boolean | undefined =>
  read(rail, counts, rails)?.passes;

describe('readGuardRails', () => {
  test('reads every rail once, in the order of the list', () => {
    expect(readGuardRails(makeCounts(), everyRail).map(({ rail }) => rail)).toEqual(RAILS);
  });

  test('reads quarantine, protected orgs and the promise when nothing is configured', () => {
    const readings = readGuardRails(makeCounts(), { quarantinedShare: 0.01 });
    expect(readings.map(({ rail }) => rail)).toEqual(['quarantinedShare', 'protectedOrgs', 'paidFalling']);
  });

  test('formats value and limit for a person', () => {
    expect(readGuardRails(makeCounts(), everyRail)).toEqual([
      { rail: 'maxRaiseFactor', value: '2.5 times', limit: '3 times', passes: true },
      { rail: 'floorOverPlan', value: '2 times', limit: '3 times', passes: true },
      { rail: 'totalChangePercent', value: '+4 %', limit: '5 % up or down', passes: true },
      { rail: 'orgsTouched', value: '9,500 orgs', limit: '10,000 orgs', passes: true },
      { rail: 'quarantinedShare', value: '0.5 % (50 orgs)', limit: '1 %, from 10 orgs on', passes: true },
      { rail: 'protectedOrgs', value: '0 orgs', limit: '0 orgs', passes: true },
      { rail: 'paidFalling', value: '0 orgs', limit: '0 orgs', passes: true },
    ]);
  });

  const AT_AND_BEYOND: readonly (readonly [Rail, Partial<PlanCounts>, Partial<PlanCounts>])[] = [
    ['maxRaiseFactor', { maxRaiseFactor: 3 }, { maxRaiseFactor: 3.000001 }],
    ['floorOverPlan', { maxFloorOverPlan: 3 }, { maxFloorOverPlan: 3.000001 }],
    ['totalChangePercent', { after: '1050000' }, { after: '1050001' }],
    ['totalChangePercent', { after: '950000' }, { after: '949999' }],
    ['orgsTouched', { touched: 10_000 }, { touched: 10_001 }],
    ['quarantinedShare', { quarantined: 100 }, { quarantined: 101 }],
    ['quarantinedShare', { orgs: 20, quarantined: 9 }, { orgs: 20, quarantined: 10 }],
    ['protectedOrgs', { protectedTouched: 0 }, { protectedTouched: 1 }],
    ['paidFalling', { paidFalling: 0 }, { paidFalling: 1 }],
  ];

  test.each(AT_AND_BEYOND)('lets %s pass at its limit (%o) and holds it one beyond (%o)', (rail, at, beyond) => {
    expect(passes(rail, at)).toBe(true);
    expect(passes(rail, beyond)).toBe(false);
    const others = readGuardRails(makeCounts(beyond), everyRail).filter((reading) => !reading.passes);
    expect(others.map((reading) => reading.rail)).toEqual([rail]);
  });

  test('has every rail among those that were seen to hold', () => {
    expect(new Set(AT_AND_BEYOND.map(([rail]) => rail))).toEqual(new Set(RAILS));
  });

  test('lets a plan pass that raises nobody and sets no floor', () => {
    expect(read('maxRaiseFactor', { maxRaiseFactor: null })).toMatchObject({ value: 'none', passes: true });
    expect(read('floorOverPlan', { maxFloorOverPlan: null })).toMatchObject({ value: 'none', passes: true });
  });

  test('counts from one credit where there was nothing before', () => {
    expect(read('totalChangePercent', { before: '0', after: '0' })).toMatchObject({ value: '0 %', passes: true });
    expect(read('totalChangePercent', { before: '0', after: '50' })).toMatchObject({
      value: '+5,000 %',
      passes: false,
    });
  });

  test('shows which way the total moves', () => {
    expect(read('totalChangePercent', { after: '930000' })?.value).toBe('-7 %');
  });

  test('never shows a breach as its limit', () => {
    expect(read('totalChangePercent', { before: '1000000000', after: '1050000001' })?.value).toBe('+5.01 %');
  });

  test('reads an empty data center as inside', () => {
    const empty = makeCounts({ orgs: 0, touched: 0, quarantined: 0, before: '0', after: '0' });
    expect(isInsideRails(readGuardRails(empty, everyRail))).toBe(true);
  });

  test('is exact beyond 2^53: the change that equals the limit passes, one credit more does not', () => {
    const percents = fc.integer({ min: 0, max: 1_000 });
    fc.assert(
      fc.property(anySum, percents, fc.constantFrom(1n, -1n), (hundredth, percent, way) => {
        const before = (hundredth + 1n) * 100n;
        const change = (hundredth + 1n) * BigInt(percent);
        const moved = (more: bigint) => String(before + way * (change + more));
        const at = { before: String(before), after: moved(0n) };
        const beyond = { before: String(before), after: moved(1n) };
        expect(passes('totalChangePercent', at, { totalChangePercent: percent })).toBe(true);
        expect(passes('totalChangePercent', beyond, { totalChangePercent: percent })).toBe(false);
      }),
      UNSHRUNK,
    );
  });

  test('holds quarantine exactly from ten orgs on and above its share', () => {
    const share = fc.integer({ min: 0, max: 1_000 });
    fc.assert(
      fc.property(fc.nat(5_000), fc.nat(100_000), share, (quarantined, decided, permille) => {
        const orgs = quarantined + decided;
        const above = BigInt(quarantined) * 1_000n > BigInt(orgs) * BigInt(permille);
        const held = passes('quarantinedShare', { orgs, quarantined }, { quarantinedShare: permille / 1_000 });
        expect(held).toBe(!(quarantined >= 10 && above));
      }),
    );
  });
});

describe('isInsideRails', () => {
  test('is outside as soon as one rail does not pass', () => {
    const [first, ...others] = readGuardRails(makeCounts(), everyRail);
    if (first === undefined) throw new Error('no reading');
    expect(isInsideRails([first, ...others])).toBe(true);
    expect(isInsideRails([...others, { ...first, passes: false }])).toBe(false);
  });
});
