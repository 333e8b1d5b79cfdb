// The sample calls: the org with the least credits asks for the share of its day that was wished, the others for little.
import { expect, test } from 'vitest';
import { priceCall } from '../../src/domain/meter/price-call.js';
import { parseRateCard } from '../../src/domain/rate-card/parse-rate-card.js';
import { type OrgCalls, planSampleCalls } from '../../src/sample/sample-calls.js';
import { sampleCardText } from '../domain/rate-card/sample-card.js';

const { costs } = parseRateCard(sampleCardText);
const creditsOf = ({ calls }: OrgCalls): number => calls.reduce((sum, call) => sum + priceCall(costs, call).credits, 0);
const ORGS = [90_000n, 25_100n, 400_000n, 27_000n].map((total, at) => ({ orgId: String(at), total }));

test.each([1.1, 0.85])('the least org asks for %d of its day, at the prices of the sample card', (share) => {
  const planned = planSampleCalls(ORGS, share);
  const [first, least, ...others] = planned.map(creditsOf);
  expect(Number(least) / 25_100).toBeGreaterThanOrEqual(share);
  expect(Number(least) / 25_100).toBeLessThan(share + 0.02);
  for (const credits of [first, ...others]) expect(credits).toBeLessThan(1_000);
  for (const { calls } of planned)
    for (const call of calls) expect(priceCall(costs, call).kind, call.kind).toBe(call.kind);
});

test('no org makes no calls', () => {
  expect(planSampleCalls([], 1)).toEqual([]);
});
