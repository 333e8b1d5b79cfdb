// The sample calls of the embedded default: some orgs of each data center call its meter, which counts in memory, and
// what it counted is in the cell in the end. Only for the samples.
import type { Program } from './compose.js';
import { openCellMeter } from './compose-meter.js';
import { chooseSampleOrgs } from './engine/usage/choose-sample-orgs.js';
import { setEnforcement } from './engine/usage/set-enforcement.js';
import type { Meter } from './meter/create-meter.js';
import { type OrgCalls, planSampleCalls } from './sample/sample-calls.js';

export interface SampleCounts {
  readonly allowed: number;
  readonly refused: number;
}

const ORGS = 40;
/** Calls of one org at once: fewer than any edition may. */
const AT_ONCE = 4;
/** The share of its day that the busiest org of a data center asks for: the first one's runs into its limit. */
const SHARES = { first: 1.1, others: 0.85 } as const;

export async function runSampleCalls(
  program: Program,
  { dataCenter, place }: { readonly dataCenter: string; readonly place: 'first' | 'others' },
): Promise<SampleCounts> {
  const orgs = await chooseSampleOrgs(program.engine, { dataCenter, limit: ORGS });
  // a meter only counts until somebody switches the limits on
  const on = { dataCenter, orgId: null, credits: 'on', concurrency: 'on' } as const;
  await setEnforcement(program.engine, on, 'The sample shows calls that are refused.');
  const { meter, drain, disconnect } = await openCellMeter(program, dataCenter, 'memory');
  try {
    const counts = await Promise.all(planSampleCalls(orgs, SHARES[place]).map((org) => callAll(meter, org)));
    return {
      allowed: counts.reduce((sum, { allowed }) => sum + allowed, 0),
      refused: counts.reduce((sum, { refused }) => sum + refused, 0),
    };
  } finally {
    await meter.close();
    await drain();
    disconnect();
  }
}

async function callAll(meter: Meter, { orgId, calls }: OrgCalls): Promise<SampleCounts> {
  let allowed = 0;
  for (let from = 0; from < calls.length; from += AT_ONCE) {
    const admissions = await Promise.all(
      calls.slice(from, from + AT_ONCE).map((call) => meter.acquire({ orgId, ...call })),
    );
    for (const admission of admissions) admission.release();
    allowed += admissions.filter((admission) => admission.allowed).length;
  }
  return { allowed, refused: calls.length - allowed };
}
