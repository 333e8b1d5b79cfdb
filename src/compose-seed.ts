// Fills the cells of the embedded default with sample orgs. Only for the samples.
import { resolveConfigText, type VariableLookup } from './domain/config/config-text.js';
import type { RolloutConfig } from './domain/config/rollout-config.js';
import { seedSampleOrgs } from './sample/seed-orgs.js';
import { letOwnerReadSql } from './stores/cell/setup/roles.js';

const SAMPLE_IDS = ['in', 'eu', 'us'] as const;

/** Orgs by data center. */
export async function seedSamples(config: RolloutConfig, lookup: VariableLookup): Promise<ReadonlyMap<string, number>> {
  const counts = config.dataCenters.map(async ({ id, database }) => {
    const sample = SAMPLE_IDS.find((known) => known === id);
    if (sample === undefined) throw new Error('only the embedded default has sample data');
    const url = resolveConfigText(database.text, lookup, `dataCenters.${id}.database`);
    return [id, (await seedSampleOrgs(url, sample, letOwnerReadSql(id, 'public.orgs'))).orgs] as const;
  });
  return new Map(await Promise.all(counts));
}
