// The document of an org's API details page, as the cell's function gives it. No number goes through the driver as a
// number.
import type { ApiDetails, DetailsException } from '../../../domain/usage/api-details.js';
import { selectRow } from '../../query.js';
import { toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';

type Texts<Name extends string> = Readonly<Record<Name, string>>;
type Nullable<Name extends string> = Readonly<Record<Name, string | null>>;

// the document, with the names of SQL
type Document = Texts<'org_id' | 'data_center' | 'zone' | 'now' | 'today' | 'resets_at'> &
  Nullable<'capacity' | 'edition' | 'agents' | 'additional_credits'> &
  Partial<Nullable<'base_credits' | 'variable_credits' | 'grandfathered_credits' | 'floor'>> & {
    readonly model: ApiDetails['model'];
    readonly paid: boolean | null;
    readonly concurrency_limit?: number;
    readonly kinds: Readonly<Record<string, Texts<'calls' | 'credits'>>>;
    readonly days: readonly (Texts<
      | 'day'
      | 'calls'
      | 'credits'
      | 'calls_given_back'
      | 'credits_given_back'
      | 'refused_by_credits'
      | 'refused_by_concurrency'
      | 'peak_in_flight'
    > & { readonly model: ApiDetails['model'] })[];
    readonly exception:
      | (Texts<'text'> & Nullable<'wanted' | 'until' | 'answer'> & { readonly state: DetailsException['state'] })
      | null;
  };

/** As `reader`, `meter` or the product. Undefined: there is no such org. */
export async function findApiDetails(tx: CellTransaction, orgId: string): Promise<ApiDetails | undefined> {
  const { document } = await selectRow<{ readonly document: Document | null }>(
    tx,
    'select credit_rollout.api_details(:org_id::credit_rollout.org_id) as document',
    { org_id: orgId },
  );
  return document === null ? undefined : toDetails(document);
}

function toDetails(document: Document): ApiDetails {
  const { edition, paid, model, zone, today } = document;
  return {
    orgId: document.org_id,
    dataCenter: document.data_center,
    zone,
    at: new Date(document.now),
    today,
    resetsAt: new Date(document.resets_at),
    model,
    edition,
    paid,
    agents: toBigint(document.agents),
    base: toBigint(document.base_credits ?? null),
    variable: toBigint(document.variable_credits ?? null),
    grandfathered: toBigint(document.grandfathered_credits ?? null),
    floor: toBigint(document.floor ?? null),
    additional: toBigint(document.additional_credits),
    total: toBigint(document.capacity),
    totalToday: null,
    concurrencyLimit: document.concurrency_limit ?? null,
    inFlight: null,
    kinds: toKinds(document.kinds),
    days: document.days.map(toDay),
    exception: document.exception && { ...document.exception, wanted: toBigint(document.exception.wanted) },
  };
}

const toKinds = (kinds: Document['kinds']): ApiDetails['kinds'] =>
  Object.entries(kinds)
    .map(([kind, { calls, credits }]) => ({ kind, calls: BigInt(calls), credits: BigInt(credits) }))
    .toSorted((one, other) => Number(other.credits - one.credits) || (one.kind < other.kind ? -1 : 1));

const toDay = (day: Document['days'][number]): ApiDetails['days'][number] => ({
  day: day.day,
  model: day.model,
  calls: BigInt(day.calls),
  credits: BigInt(day.credits),
  callsGivenBack: BigInt(day.calls_given_back),
  creditsGivenBack: BigInt(day.credits_given_back),
  refusedByCredits: BigInt(day.refused_by_credits),
  refusedByConcurrency: BigInt(day.refused_by_concurrency),
  peakInFlight: BigInt(day.peak_in_flight),
});
