// The rate card of the simulation: four editions of the sample, without its file.
import { createRateCard } from '../../../src/domain/rate-card/create-rate-card.js';
import type { LegacyRates, RateCard } from '../../../src/domain/rate-card/rate-card.js';

const perUser = (rate: bigint, min: bigint, max: bigint): LegacyRates => ({ kind: 'perUser', perUser: rate, min, max });

export const CARD: RateCard = createRateCard({
  ...{ name: 'simulated', lightAgentsCountAsUsers: true, unpaid: 'free', costs: new Map(), cases: [] },
  editions: [
    { edition: 'free', base: 5_000n, perAgent: 0n, concurrency: 5, legacy: { kind: 'flat', flat: 5_000n } },
    { edition: 'standard', base: 50_000n, perAgent: 250n, concurrency: 10, legacy: perUser(500n, 25_000n, 250_000n) },
    {
      edition: 'professional',
      base: 75_000n,
      perAgent: 500n,
      concurrency: 15,
      legacy: perUser(1_000n, 50_000n, 1_000_000n),
    },
    {
      edition: 'enterprise',
      base: 100_000n,
      perAgent: 1_000n,
      concurrency: 25,
      legacy: perUser(2_000n, 75_000n, 5_000_000n),
    },
  ],
});
