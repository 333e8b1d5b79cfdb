// One org's life in plain TypeScript, as docs/reference/domain.md and docs/how-to/undo.md tell it: what a rollout, the
// feed, a night, an override and an undo make of it. Calls nothing of the product. Numbers are small: no bigint.

/** What the product holds of an org. */
export interface Inputs {
  readonly edition: string;
  readonly paid: boolean;
  readonly agents: number;
  readonly light: number;
  readonly bought: number;
  readonly limit: number | null;
}

/** An allotment; what is left out follows from this. */
export interface Row extends Inputs {
  readonly floor: number | null;
  readonly floorEdition: string | null;
  readonly unpaid: boolean;
}

interface Deed {
  readonly at: number;
  /** The rollout that did it; null: something else did. */
  readonly run: number | null;
  readonly cause: string;
  readonly before: Row | null;
  readonly after: Row | null;
}

export interface Life {
  readonly id: number;
  /** Null: it is not in the source. */
  inputs: Inputs | null;
  row: Row | null;
  /** The rollout that wrote what it has, or had when it left; null: something else did. */
  writtenBy: number | null;
  /** What it had when it left. */
  retired: Row | null;
  readonly deeds: Deed[];
}

const byUsers =
  (perUser: number, min: number, max: number) =>
  (users: number): number =>
    Math.min(max, Math.max(min, perUser * users));
const BIG = { rank: 4, base: 100_000, perAgent: 1_000, legacy: byUsers(1_500, 75_000, 5_000_000) };
const FREE = { rank: 0, base: 5_000, perAgent: 0, legacy: () => 5_000 };
const EDITIONS = new Map([
  ['free', FREE],
  ['express', { rank: 1, base: 25_000, perAgent: 100, legacy: byUsers(250, 10_000, 50_000) }],
  ['standard', { rank: 2, base: 50_000, perAgent: 250, legacy: byUsers(500, 25_000, 250_000) }],
  ['professional', { rank: 3, base: 75_000, perAgent: 500, legacy: byUsers(1_000, 50_000, 1_000_000) }],
  ['enterprise', BIG],
  ['zoho_one', BIG],
]);

export const legacyOf = ({ edition, agents, light, limit }: Inputs): number =>
  limit ?? (EDITIONS.get(edition) ?? FREE).legacy(agents + light);

function planOf({ paid, edition, agents }: Inputs): number {
  const { base, perAgent } = paid ? (EDITIONS.get(edition) ?? FREE) : FREE;
  return base + perAgent * agents;
}

const totalOf = (row: Row): number => Math.max(row.paid ? (row.floor ?? 0) : 0, planOf(row)) + row.bought;

/** Null: undecidable. The window is open all the time. */
export function decide(inputs: Inputs, prior: Pick<Row, 'floor' | 'floorEdition'> | null): Row | null {
  const own = EDITIONS.get(inputs.edition);
  if (own === undefined) return null;
  const { floor, floorEdition } = prior ?? { floor: null, floorEdition: null };
  if (!inputs.paid) return { ...inputs, floor, floorEdition, unpaid: true };
  const legacy = legacyOf(inputs);
  const below = floor !== null && own.rank < (EDITIONS.get(floorEdition ?? '')?.rank ?? 0);
  const lowered = below && floor !== null ? Math.min(floor, legacy) : floor;
  const rises = lowered === null || (legacy > lowered && (inputs.limit !== null || legacy <= 2 * lowered));
  const next = rises ? legacy : lowered;
  const named = below || next !== floor ? inputs.edition : floorEdition;
  return { ...inputs, floor: next, floorEdition: named, unpaid: false };
}

const isLower = (one: number | null, other: number | null): boolean => other !== null && (one === null || one < other);

/** All but what a purchase changes. */
const isSameForm = (one: Row, other: Row): boolean =>
  one.edition === other.edition &&
  one.paid === other.paid &&
  one.agents === other.agents &&
  one.light === other.light &&
  one.limit === other.limit &&
  one.floor === other.floor &&
  one.floorEdition === other.floorEdition &&
  one.unpaid === other.unpaid;

const toForm = (row: Row): readonly unknown[] => [
  ...[row.edition, row.paid, row.agents, row.light, row.bought, row.limit, row.floor, row.floorEdition, row.unpaid],
];

type Movement = 'same' | 'raise' | 'fall' | 'inputs';

function movementOf(before: Row, after: Row): Movement {
  if (isSameForm(before, after) && before.bought === after.bought) return 'same';
  if (totalOf(after) < totalOf(before) || isLower(after.floor, before.floor)) return 'fall';
  return totalOf(after) > totalOf(before) || isLower(before.floor, after.floor) ? 'raise' : 'inputs';
}

function causeOf(before: Row, after: Row): string {
  if (isLower(after.floor, before.floor)) return 'edition';
  if (before.paid && !after.paid) return 'lapse';
  if (!before.paid && after.paid) return before.floor === null ? 'paid' : 'return';
  if (before.edition !== after.edition) return 'edition';
  if (before.limit !== after.limit) return 'late input';
  if (before.agents !== after.agents) return 'seats';
  if (before.bought !== after.bought) return 'purchase';
  return before.light === after.light ? 'late input' : 'seats';
}

const record = (life: Life, at: number, run: number | null, cause: string, after: Row | null): void => {
  life.deeds.push({ at, run, cause, before: life.row, after });
  life.row = after;
  if (after !== null) life.writtenBy = run;
};

const decideNow = ({ inputs, row, retired }: Life): Row | null => inputs && decide(inputs, row ?? retired);

/** A rollout inserts what is missing and raises what rose. */
export function applyTo(life: Life, at: number, run: number): void {
  const next = decideNow(life);
  if (next === null) return;
  if (life.row === null) bear(life, at, run, next);
  else if (movementOf(life.row, next) === 'raise') record(life, at, run, 'apply', next);
}

function bear(life: Life, at: number, run: number | null, next: Row): void {
  record(life, at, run, 'first', next);
  life.retired = null;
}

/** The change feed raises what was edited. */
export function feedTo(life: Life, at: number): void {
  const next = decideNow(life);
  if (life.row === null || next === null || movementOf(life.row, next) !== 'raise') return;
  record(life, at, null, causeOf(life.row, next), next);
}

/** A night whose falls are accepted writes everything, and retires who left. */
export function nightTo(life: Life, at: number): void {
  const { row, inputs } = life;
  if (inputs === null) {
    if (row === null) return;
    record(life, at, null, 'gone', null);
    life.retired = row;
    return;
  }
  const next = decideNow(life);
  if (next === null) return;
  if (row === null && life.retired !== null) comeBack(life, at, life.retired, next);
  else if (row === null) bear(life, at, null, next);
  else if (movementOf(row, next) !== 'same') record(life, at, null, causeOf(row, next), next);
}

/** It has again what it had, and then what it has now. */
function comeBack(life: Life, at: number, had: Row, next: Row): void {
  bear(life, at, life.writtenBy, had);
  if (movementOf(had, next) !== 'same')
    record(life, at, null, isLower(next.floor, had.floor) ? 'edition' : 'return', next);
}

/** Two people give it another floor, which is at least its legacy limit. */
export function overrideTo(life: Life, at: number, floor: number): void {
  const next = life.inputs && decide(life.inputs, { floor, floorEdition: life.inputs.edition });
  if (next !== null) record(life, at, null, 'override', next);
}

/** What an undo of the run does with an org. */
export interface Target {
  /** `delete`, `restore`, or why it is a conflict. */
  readonly verdict: string;
  readonly paid: boolean;
  readonly total: number;
  /** Null: not known. */
  readonly becomes: number | null;
  /** What it had before the run. */
  readonly image: Row | null;
  readonly after: Row | null;
}

/** Undefined: the run has nothing to do with it. `opened`: when the run began. */
export function findTarget(life: Life, { run, opened }: { run: number; opened: number }): Target | undefined {
  const { row, inputs, deeds } = life;
  if (row === null) return undefined;
  const mine = deeds.slice(deeds.findLastIndex(({ after }) => after === null) + 1);
  const born = mine[0];
  const wrote = mine.findIndex((deed) => deed.run === run && (deed === born || deed.cause === 'apply'));
  const written = mine[wrote];
  const known = inputs === null || decide(inputs, null) === null ? null : inputs;
  const image = written?.before ?? null;
  const after = image === null || inputs === null ? null : { ...image, bought: inputs.bought };
  const becomes = known && (after === null ? legacyOf(known) + known.bought : totalOf(after));
  const target = { paid: row.paid || (inputs?.paid ?? false), total: totalOf(row), becomes, image, after };
  if (written?.after == null) {
    if (deeds.some((deed) => deed.run === run)) return { verdict: 'return', ...target };
    return born !== undefined && born.at > opened ? { verdict: 'sign-up', ...target } : undefined;
  }
  if (!isSameForm(written.after, row)) {
    const later = mine.slice(wrote + 1).findLast(({ cause }) => cause !== 'purchase');
    return { verdict: later?.cause ?? 'manual edit', ...target };
  }
  if (inputs === null) return { verdict: 'gone', ...target };
  if (known === null) return { verdict: 'undecidable', ...target };
  return { verdict: image === null ? 'delete' : 'restore', ...target };
}

export const isTaken = ({ verdict }: Target): boolean => verdict === 'delete' || verdict === 'restore';
export const falls = (target: Target): boolean => isTaken(target) && Number(target.becomes) < target.total;

/** `seen`: how low each paid org may fall, as the second person saw it. */
export function undoTo(
  life: Life,
  at: number,
  undone: { readonly run: number; readonly opened: number; readonly seen: ReadonlyMap<number, number> },
): void {
  const target = findTarget(life, undone);
  if (target === undefined || target.becomes === null || !isTaken(target)) return;
  const lowest = target.paid ? Math.min(target.total, undone.seen.get(life.id) ?? target.total) : 0;
  if (target.becomes < lowest) return;
  const before = life.deeds.findLast(({ after }) => after !== null && target.image === after);
  if (target.after === null) {
    record(life, at, null, 'undo', null);
    life.retired = null;
  } else {
    // as if the run had never been, for the undo of an older one
    life.deeds.splice(life.deeds.findLastIndex((deed) => deed.run === undone.run && deed.before === target.image));
    life.row = target.after;
  }
  life.writtenBy = before?.run ?? null;
}

/** What the product reads in `org_capacity`; null: no such org. */
export function capacityOf({ row, inputs, retired }: Life): { model: string; capacity: number | null } | null {
  if (inputs === null) return null;
  if (row !== null) return { model: 'credits', capacity: totalOf(row) };
  const back = retired && decide(inputs, retired);
  if (retired !== null) return { model: 'credits', capacity: back && totalOf(back) };
  const known = decide(inputs, null) !== null;
  return { model: 'legacy', capacity: known ? legacyOf(inputs) + inputs.bought : null };
}

/** As the cell has it, for a comparison. */
export const showRow = (row: Row): string => [...toForm(row), totalOf(row)].join(' ');
