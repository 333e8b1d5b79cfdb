// Which of the orgs that were updated are decided at once, which wait in a queue, and which are left to a reading of
// the whole source by id: an edit of one org must not wait behind a transaction that touched all of them. Pure.

export interface UpdatedOrg {
  readonly id: string;
  /** When it was updated, as the cell writes instants: equal texts are equal instants. */
  readonly at: string;
}

/** Orgs that are listed by their updated_at at most; those updated before them are read by id. */
export const MAX_LISTED = 20_000;
/** More orgs of one instant than this were updated by one transaction, which may have touched any number. */
const CROWD = 100;

export interface SortedEdits {
  /** To be decided at once: one page at most. */
  readonly first: readonly string[];
  /** To be decided page by page, the newest last. */
  readonly queued: readonly string[];
  /**
   * Neither first nor queued: what was updated between these instants, both included; `from` null: from where the
   * reading began.
   */
  readonly bulk: { readonly from: string | null; readonly to: string } | null;
  /** What was updated up to here waits elsewhere, and is not listed again; null: nothing is. */
  readonly readPast: string | null;
}

/** `orgs`: the newest first; more than MAX_LISTED: there may be more. `queue` full: nothing more fits into it. */
export function sortEdits(
  orgs: readonly UpdatedOrg[],
  { pageSize, queue }: { readonly pageSize: number; readonly queue: 'open' | 'full' },
): SortedEdits {
  const cut = orgs.length > MAX_LISTED ? orgs.at(-1)?.at : undefined;
  if (cut === undefined && orgs.length <= pageSize)
    return { first: listIds(orgs), queued: [], bulk: null, readPast: null };
  const counts = new Map<string, number>();
  for (const { at } of orgs) counts.set(at, (counts.get(at) ?? 0) + 1);
  const isCrowded = ({ at }: UpdatedOrg): boolean => at === cut || (counts.get(at) ?? 0) > CROWD;
  const first = new Set(orgs.filter((org) => !isCrowded(org)).slice(0, pageSize));
  const waiting = orgs.filter((org) => !first.has(org));
  const sorted = { first: listIds([...first]), queued: [], bulk: null };
  const [newest] = waiting;
  if (newest === undefined) return { ...sorted, readPast: null };
  if (cut === undefined && queue === 'open')
    return { ...sorted, queued: listIds(waiting.toReversed()), readPast: waiting.find(isCrowded)?.at ?? null };
  const from = cut === undefined ? (waiting.at(-1)?.at ?? null) : null;
  return { ...sorted, bulk: { from, to: newest.at }, readPast: newest.at };
}

const listIds = (orgs: readonly UpdatedOrg[]): readonly string[] => [...new Set(orgs.map(({ id }) => id))];
