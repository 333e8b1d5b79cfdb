// Checks of `doctor` on a cell: our schema, our roles with their privileges, and the bake query. Shows no org.

import type { DataCenterConfig, RolloutConfig } from '../../domain/config/rollout-config.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { advise, command } from '../../kernel/advice.js';
import { ERRORS, type ErrorCode } from '../../kernel/error-codes.js';
import { toPastedSql } from '../../kernel/pasted-sql.js';
import { isRolloutError } from '../../kernel/rollout-error.js';
import { type CellDatabase, cellRoleName } from '../../stores/cell/cell-database.js';
import { adviseMoved, findCell, readServerFacts } from '../../stores/cell/identity.js';
import { hasAdoption, type LateWrites, readLateWrites } from '../../stores/cell/setup/adoption.js';
import {
  assertRightCell,
  listExcessGrants,
  listMissingMigrations,
  listRoles,
  readLogin,
  tryBakeQuery,
} from '../../stores/cell/setup/doctor-queries.js';
import { rejectOthersSchema } from '../../stores/cell/setup/ownership.js';
import { readSourceAs } from '../../stores/cell/setup/read-source-as.js';
import { findSource, type Source } from '../../stores/cell/setup/source.js';
import { findAdoptedPlace } from '../../stores/control/cell-proposals.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { getDataCenter } from '../data-center.js';
import { adviseAdopted } from '../reject-left-behind.js';
import { isSupportedEncoding } from '../setup/init-cell.js';
import { runStatements } from '../setup/run-statements.js';
import type { ClockReading, ServerReading } from './check-server.js';
import { type CheckedSubject, createFindingRecorder, type Finding, type FindingRecorder } from './finding.js';

interface CellRequest {
  readonly dataCenter: DataCenterConfig;
  readonly config: RolloutConfig;
  /** Undefined when it cannot be read; then editions and inputs are not checked. */
  readonly card: RateCard | undefined;
  /** Of a count of what is in the source; left out: its own. */
  readonly countLimitMs?: number;
}

/** A cell that was reached, and is that of its data center. */
export interface OpenCell extends ServerReading, CellRequest {
  readonly encoding: string;
  /** May be out of reach. */
  readonly control: EngineContext['control'];
  readonly cell: CellDatabase;
  /** `init` has created our schema. */
  readonly initialised: boolean;
  /** By our clock. */
  readonly now: Date;
  readonly clock: ClockReading;
  /** The product's relation, or why it cannot be used. */
  readonly source: Source | { readonly failure: unknown };
  /** The embedded servers: one login is for everything. */
  readonly oneLogin: boolean;
}

export const isInitialised = ({ initialised }: Pick<OpenCell, 'initialised'>): boolean => initialised;

/** A cell that cannot be reached, or is another one, gives the finding of the check that found it out. */
export async function openCell(
  { control, cells, clock, actor }: Pick<EngineContext, 'control' | 'cells' | 'clock' | 'actor'>,
  request: CellRequest,
  about: CheckedSubject,
): Promise<
  { readonly kind: 'open'; readonly subject: OpenCell } | { readonly kind: 'failed'; readonly finding: Finding }
> {
  const { id, source: sourceName } = request.dataCenter;
  try {
    const cell = cells.get(id);
    const { facts, reading } = await cell.asOwner(async (tx) => {
      const before = clock.now();
      const found = await readServerFacts(tx);
      const after = clock.now();
      await assertRightCell(tx, id);
      await rejectOthersSchema(tx, id);
      return { facts: found, reading: { before, server: found.now, after } };
    });
    const source = await cell
      .asOwner((tx) => findSource(tx, sourceName, id))
      .catch((failure: unknown) => ({ failure }));
    const oneLogin = actor !== null;
    return {
      kind: 'open',
      subject: { ...request, ...facts, control, cell, now: clock.now(), clock: reading, source, oneLogin },
    };
  } catch (error) {
    const check = (isRolloutError(error) ? CHECKS[error.code] : undefined) ?? 'connection';
    return { kind: 'failed', finding: createFindingRecorder(about, check).failure(error) };
  }
}

const CHECKS: Readonly<Partial<Record<ErrorCode, string>>> = { cell_is_standby: 'primary', wrong_cell: 'right cell' };

/** `openCell` has compared its place; what control cannot say is a finding of its own. */
export async function checkAdopted(
  { cell, control, initialised, dataCenter: { id } }: OpenCell,
  record: FindingRecorder,
): Promise<Finding> {
  if (!initialised) return record.ok('not marked by an init yet');
  const known = await control.inTransaction((tx) => getDataCenter(tx, id)).catch(() => undefined);
  const adoption = known?.adoption ?? null;
  if (adoption === null || (await cell.asOwner((tx) => hasAdoption(tx, adoption))))
    return record.ok(`it is the cell of ${id}`);
  const late = await cell.asOwner(readLateWrites).catch(() => undefined);
  const found = `two people adopted another copy of it: this one was left behind${describeLateWrites(late)}`;
  const place = await control.inTransaction((tx) => findAdoptedPlace(tx, id)).catch(() => undefined);
  return record.error(found, place === undefined ? adviseMoved(id) : adviseAdopted(id, place), 'wrong_cell');
}

/** Whoever still has the old URL: what they record here is in no other copy. */
function describeLateWrites(late: LateWrites | undefined): string {
  if (late === undefined || late.signUps + late.usageDays === 0) return '';
  return (
    `; since it was frozen, at ${late.since.toISOString()}, the product or its meters recorded ${late.signUps} ` +
    `sign-ups and ${late.usageDays} days of usage in it: they still have its URL`
  );
}

const INIT = advise`Run: ${command('init')}`;

export async function checkSchema(
  { cell, dataCenter: { zone }, initialised }: Pick<OpenCell, 'cell' | 'dataCenter' | 'initialised'>,
  record: FindingRecorder,
): Promise<Finding> {
  const missing = initialised ? await cell.asOwner(listMissingMigrations) : undefined;
  if (missing === undefined) return record.error('our schema credit_rollout is missing', INIT, 'not_initialised');
  if (missing.length > 0)
    return record.error(`our schema is old: it lacks ${missing.join(', ')}`, INIT, 'not_initialised');
  const stored = await cell.asOwner(findCell);
  if (stored !== undefined && stored.zone !== zone)
    return record.warning(`init stored the zone ${stored.zone}, the configuration has ${zone}`, INIT);
  return record.ok('up to date');
}

/** Each role of ours exists, and this login may act as it. */
export async function checkRoles(
  { cell }: Pick<OpenCell, 'cell'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const roles = await cell.asOwner((tx) => listRoles(tx, cell.dataCenter));
  const broken = roles.filter(({ usable }) => !usable);
  if (broken.length === 0) return [record.ok('they exist and this login is a member of each')];
  const login = await cell.asOwner(readLogin);
  return broken.map(({ role, exists }) => {
    const found = exists ? `this login may not act as ${role}` : `the role ${role} does not exist`;
    const fix = exists
      ? `As a superuser run: GRANT "${role}" TO ${toPastedSql(login)};`
      : advise`Run: ${command('init')} (it creates the role, or prints the SQL for a superuser)`;
    return record.error(found, fix, 'roles_missing');
  });
}

export function checkEncoding({ encoding }: Pick<OpenCell, 'encoding'>, record: FindingRecorder): Finding {
  if (isSupportedEncoding(encoding)) return record.ok(encoding);
  const found = `its database has the encoding ${encoding}, which says nothing about its texts`;
  return record.error(found, ERRORS.encoding_unsupported.next, 'encoding_unsupported');
}

/** As each process runs them. Throws server_unsupported, not_permitted. */
export async function checkStatements({ cell }: Pick<OpenCell, 'cell'>, record: FindingRecorder): Promise<Finding> {
  await runStatements(cell);
  return record.ok('scheduler and worker can run theirs');
}

/** A worker must not be able to write the product's table, nor to delete an allotment. */
export async function checkGrants(
  { cell, source }: { readonly cell: CellDatabase; readonly source: Source },
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const excess = await cell.asOwner((tx) => listExcessGrants(tx, cell.dataCenter, source.relation));
  if (excess.length === 0) return [record.ok('no role has more than it needs')];
  return excess.map(({ role, privilege, relation }) => {
    const verb = privilege.toUpperCase();
    const from = `FROM "${role}", or from PUBLIC or the role that grants it`;
    const fix = `As the owner run: REVOKE ${verb} ON ${toPastedSql(relation)} ${from}.`;
    return record.error(`${role} holds ${verb} on ${relation} and must not`, fix);
  });
}

/**
 * Runs rollout.bakeQuery once, as at the end of a bake, so that no rollout stops there. Nothing where there is none.
 */
export async function checkBake(
  { cell, config }: Pick<OpenCell, 'cell' | 'config'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const { bakeQuery } = config.rollout;
  if (bakeQuery === undefined) return [];
  try {
    const fine = await readSourceAs(cell, cellRoleName(cell.dataCenter, 'reader'), (reader) =>
      tryBakeQuery(reader, bakeQuery),
    );
    const now = fine ? 'it returns true' : 'it can be run; now it does not return true';
    return [record.ok(`${now}; rollout.checks can hold the bake too, with holds: [bake]`)];
  } catch (error) {
    const { sqlstate, kind } = classifyFailure(error);
    const found = `rollout.bakeQuery cannot be run (${sqlstate ?? kind}): every bake would be held`;
    return [record.error(found, nameBakeFix(sqlstate, cellRoleName(cell.dataCenter, 'reader')))];
  }
}

function nameBakeFix(sqlstate: string | undefined, reader: string): string {
  switch (sqlstate) {
    case '42501':
      return `Grant what it reads to its role, such as: GRANT SELECT ON … TO ${reader};`;
    case '42P01':
      return `Create what it reads in this cell too, and grant it to ${reader}.`;
    case '42601':
    case '42P11':
    case '25006':
      return 'Correct it: one query that only reads, such as a SELECT, without a second statement.';
    default:
      return `Correct rollout.bakeQuery in the configuration; it runs as ${reader}.`;
  }
}
