// What the page of one org shows: a paid org on credits, with one day.
import type { ApiDetails, DetailsDay } from '../../../src/domain/usage/api-details.js';

export const sampleDay = (changes: Partial<DetailsDay> = {}): DetailsDay => ({
  day: '2026-11-30',
  model: 'credits',
  calls: 900n,
  credits: 61_200n,
  callsGivenBack: 0n,
  creditsGivenBack: 0n,
  refusedByCredits: 0n,
  refusedByConcurrency: 0n,
  peakInFlight: 7n,
  ...changes,
});
export const sampleDetails = (changes: Partial<ApiDetails> = {}): ApiDetails => ({
  orgId: '42',
  dataCenter: 'in',
  zone: 'Asia/Kolkata',
  at: new Date('2026-11-30T10:00:00Z'),
  today: '2026-11-30',
  resetsAt: new Date('2026-11-30T18:30:00Z'),
  model: 'credits',
  edition: 'standard',
  paid: true,
  agents: 300n,
  base: 50_000n,
  variable: 75_000n,
  grandfathered: 25_000n,
  floor: 150_000n,
  additional: 10_000n,
  total: 160_000n,
  concurrencyLimit: 10,
  inFlight: 3,
  kinds: [{ kind: 'list', calls: 400n, credits: 60_000n }],
  days: [sampleDay()],
  exception: null,
  ...changes,
});
