// The dry run on screen: what would be decided for every org of a data center, in numbers. Cannot write.
import type { RateCard } from '../domain/rate-card/rate-card.js';
import { RolloutError } from '../kernel/rollout-error.js';
import type { CellDatabase } from '../stores/cell/cell-database.js';
import { type DecisionGroup, findSourceRangeEnd, readDecisions } from '../stores/cell/decisions.js';
import { hasRateCard } from '../stores/cell/rates.js';
import { classifyFailure } from '../stores/postgres-failure.js';
import type { EngineContext } from './context.js';
import { explainFailure } from './explain-failure.js';

export interface PlanLine {
  readonly edition: string;
  readonly orgs: number;
  readonly paid: number;
  readonly legacyWins: number;
  readonly falling: number;
  readonly before: string;
  readonly after: string;
}

export interface PlanReport {
  readonly dataCenter: string;
  readonly card: string;
  readonly orgs: number;
  /** First decisions, raises, falls left for the nightly run, unchanged orgs (inputs that move nothing included). */
  readonly first: number;
  readonly raises: number;
  readonly falls: number;
  readonly unchanged: number;
  readonly legacyWins: number;
  /** Paid orgs whose number would fall at a first decision: always 0, or the promise is broken. */
  readonly paidFalling: number;
  readonly unpaidFalling: number;
  readonly quarantined: readonly { readonly reason: string; readonly orgs: number }[];
  readonly before: string;
  readonly after: string;
  readonly grandfathered: string;
  readonly editions: readonly PlanLine[];
  /** Something would be written. */
  readonly pending: boolean;
}

const ORGS_PER_READ = 20_000;
const STATEMENT_MS = 30_000;

/** Reads the cell range by range as `planner`, read only; `onProgress` gets the orgs read so far. */
export async function planDataCenter(
  context: Pick<EngineContext, 'cells'>,
  dataCenter: string,
  card: RateCard,
  onProgress: (orgs: number) => void = () => undefined,
): Promise<PlanReport> {
  const cell = context.cells.get(dataCenter);
  const groups = new Map<string, DecisionGroup>();
  try {
    const known = await cell.inTransaction('planner', (tx) => hasRateCard(tx, card.hash));
    if (!known)
      throw new RolloutError('not_initialised', {
        message: `Data center "${dataCenter}" does not have the rate card ${card.hash} yet.`,
      });
    let lowerId: string | null = null;
    let read = 0;
    do {
      const from: string | null = lowerId;
      const part = await planPart(cell, from, card.hash);
      for (const group of part.groups) addGroup(groups, group);
      read += part.groups.reduce((orgs, group) => orgs + group.orgs, 0);
      onProgress(read);
      lowerId = part.upperId;
    } while (lowerId !== null);
  } catch (error) {
    throw explainFailure(error, `Data center "${dataCenter}"`);
  }
  return toReport(dataCenter, card.hash, [...groups.values()]);
}

interface Part {
  readonly upperId: string | null;
  readonly groups: readonly DecisionGroup[];
}

/** One range; an org that cannot be read is counted as `unreadable`, as a batch would set it aside. */
async function planPart(
  cell: CellDatabase,
  lowerId: string | null,
  cardHash: string,
  orgs: number = ORGS_PER_READ,
): Promise<Part> {
  let upperId: string | null = null;
  try {
    return await cell.inTransaction(
      'planner',
      async (tx) => {
        upperId = await findSourceRangeEnd(tx, lowerId, orgs);
        return { upperId, groups: await readDecisions(tx, { lowerId, upperId }, cardHash) };
      },
      { statementMs: STATEMENT_MS },
    );
  } catch (error) {
    if (classifyFailure(error).kind !== 'bad_value') throw error;
    if (orgs === 1) return { upperId, groups: [UNREADABLE] };
    return planPart(cell, lowerId, cardHash, Math.max(1, Math.floor(orgs / 8)));
  }
}

const UNREADABLE: DecisionGroup = {
  edition: null,
  paid: null,
  winner: null,
  movement: null,
  reason: 'unreadable',
  orgs: 1,
  before: '0',
  after: '0',
  grandfathered: '0',
  falling: 0,
};

function addGroup(groups: Map<string, DecisionGroup>, group: DecisionGroup): void {
  const key = JSON.stringify([group.edition, group.paid, group.winner, group.movement, group.reason]);
  const sum = groups.get(key);
  groups.set(
    key,
    sum === undefined
      ? group
      : {
          ...group,
          orgs: sum.orgs + group.orgs,
          falling: sum.falling + group.falling,
          before: addText(sum.before, group.before),
          after: addText(sum.after, group.after),
          grandfathered: addText(sum.grandfathered, group.grandfathered),
        },
  );
}

const addText = (a: string, b: string): string => String(BigInt(a) + BigInt(b));

type Choice = (group: DecisionGroup) => boolean;

function toReport(dataCenter: string, card: string, groups: readonly DecisionGroup[]): PlanReport {
  const count = (pick: Choice): number => groups.filter(pick).reduce((sum, group) => sum + group.orgs, 0);
  const falling = (pick: Choice): number => groups.filter(pick).reduce((sum, group) => sum + group.falling, 0);
  const sum = (column: 'before' | 'after' | 'grandfathered'): string =>
    String(groups.reduce((total, group) => total + BigInt(group[column]), 0n));
  const first = count((group) => group.movement === 'first');
  const raises = count((group) => group.movement === 'raise');
  return {
    dataCenter,
    card,
    orgs: count(() => true),
    first,
    raises,
    falls: count((group) => group.movement === 'fall'),
    unchanged: count((group) => group.movement === 'same' || group.movement === 'inputs'),
    legacyWins: count((group) => group.winner === 'legacy'),
    paidFalling: falling((group) => group.paid === true && group.movement === 'first'),
    unpaidFalling: falling((group) => group.paid === false && group.movement === 'first'),
    quarantined: groupReasons(groups),
    before: sum('before'),
    after: sum('after'),
    grandfathered: sum('grandfathered'),
    editions: groupEditions(groups),
    pending: first + raises > 0,
  };
}

function groupReasons(groups: readonly DecisionGroup[]): PlanReport['quarantined'] {
  const reasons = [...new Set(groups.flatMap((group) => (group.reason === null ? [] : [group.reason])))].sort();
  return reasons.map((reason) => ({
    reason,
    orgs: groups.filter((group) => group.reason === reason).reduce((sum, group) => sum + group.orgs, 0),
  }));
}

function groupEditions(groups: readonly DecisionGroup[]): readonly PlanLine[] {
  const decided = groups.filter((group) => group.reason === null);
  const editions = [...new Set(decided.map((group) => group.edition ?? ''))].sort();
  return editions.map((edition) => {
    const own = decided.filter((group) => group.edition === edition);
    const count = (pick: Choice): number => own.filter(pick).reduce((sum, group) => sum + group.orgs, 0);
    return {
      edition,
      orgs: count(() => true),
      paid: count((group) => group.paid === true),
      legacyWins: count((group) => group.winner === 'legacy'),
      falling: own.reduce((sum, group) => sum + group.falling, 0),
      before: String(own.reduce((total, group) => total + BigInt(group.before), 0n)),
      after: String(own.reduce((total, group) => total + BigInt(group.after), 0n)),
    };
  });
}
