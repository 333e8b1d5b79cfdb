// After the sample rollout: some thousand calls of sample orgs through the meters of their data centers, and the API
// details page of the org that ran into its limit. Run again on the same day, they go on from what was used.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Program } from '../../compose.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { describeCosts } from '../../domain/usage/call-costs.js';
import { renderApiDetails } from '../../domain/usage/render-api-details.js';
import { readDetails } from '../../engine/usage/read-details.js';
import { readUsage, type UsageReport } from '../../engine/usage/read-usage.js';
import { projectFolder } from '../../platform/project-folder.js';
import { showCount } from '../terminal/numbers.js';
import type { CliSession } from '../terminal/session.js';
import type { MeteredSamples } from '../views/show-metered-samples.js';

const LISTED = 5;

/** Of these data centers, which are done. */
export async function meterSamples(
  session: CliSession,
  program: Program,
  { card, dataCenters }: { readonly card: RateCard; readonly dataCenters: readonly string[] },
): Promise<MeteredSamples> {
  if (dataCenters.length > 0) await callAll(session, program, dataCenters);
  const read = (dataCenter: string) => readUsage(program.engine, { dataCenter, limit: LISTED });
  const usage = await Promise.all(dataCenters.map(read));
  return { usage, page: await writePage(program, card, usage) };
}

async function callAll(session: CliSession, program: Program, dataCenters: readonly string[]): Promise<void> {
  const { runSampleCalls } = await import('../../compose-sample.js');
  const counts = await Promise.all(
    dataCenters.map((dataCenter, at) => runSampleCalls(program, { dataCenter, place: at === 0 ? 'first' : 'others' })),
  );
  const sum = (key: 'allowed' | 'refused'): number => counts.reduce((total, one) => total + one[key], 0);
  session.print(
    `\nSample calls, through a meter in memory: ${showCount(sum('allowed'))} allowed, ${showCount(sum('refused'))} refused at no cost.`,
  );
}

async function writePage(
  program: Program,
  card: RateCard,
  usage: readonly UsageReport[],
): Promise<MeteredSamples['page']> {
  const full = usage.flatMap(({ dataCenter, near }) => {
    const [org] = near.filter(({ refused }) => refused !== '0');
    return org === undefined ? [] : [{ dataCenter, orgId: org.orgId }];
  });
  const [org] = full;
  if (org === undefined) return null;
  const details = await readDetails(program.engine, org);
  const folder = join(projectFolder, '.credit-rollout');
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'api-details.html');
  await writeFile(path, renderApiDetails(details, { prices: describeCosts(card.costs) }), { mode: 0o600 });
  return { ...org, path };
}
