// `init` of one cell: creates or upgrades our schema. Rejects what cannot work before it changes anything.
import type { DataCenterConfig } from '../../domain/config/rollout-config.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { isWholeForMany, nameReading } from '../../domain/source/read-times.js';
import { canBeLong, checkSourceColumns, orgIdType } from '../../domain/source/source-contract.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { assertTimelineReadable } from '../../stores/cell/batch/fence.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import { measureSearch, saveLookMs } from '../../stores/cell/feed/updated-orgs.js';
import { findCell, readServerFacts } from '../../stores/cell/identity.js';
import { insertRateCard } from '../../stores/cell/org/rates.js';
import { grantUpdates } from '../../stores/cell/setup/change-triggers.js';
import { giveSchema, keepDefiners, rejectOthersSchema, rejectStrongOwners } from '../../stores/cell/setup/ownership.js';
import { measureOneOrg, measureOrgList, saveReadTimes } from '../../stores/cell/setup/read-times.js';
import { ensureRoles, grantProduct, grantRoles, recordProductRole } from '../../stores/cell/setup/roles.js';
import {
  attachSource,
  findOrgIdType,
  lockSchema,
  migrateCell,
  proposeActiveCard,
  saveCell,
} from '../../stores/cell/setup/schema.js';
import { countNullIdsAsOwner, findSource, type Source } from '../../stores/cell/setup/source.js';
import { classifyFailure, isRowFailure } from '../../stores/postgres-failure.js';
import { toStoredCard } from '../stored-card.js';
import { runStatements } from './run-statements.js';
import { explainViewGrants } from './view-grants.js';

export interface InitCellOptions {
  readonly dataCenter: DataCenterConfig;
  readonly card: RateCard;
  readonly lapseGraceDays: number;
  /** The product's role that may read org_capacity and allotments. */
  readonly grant?: string | undefined;
}

export interface InitCellReport {
  readonly dataCenter: string;
  readonly migrations: readonly string[];
  readonly attached: boolean;
  readonly source: string;
  readonly activeCard: string;
  /** How long the rule takes for one org of the source, in ms; null: the source has none. */
  readonly oneOrgMs: number | null;
  /** How long the change feed takes to find edits by updated_at, in ms; null: it does not search there. */
  readonly lookMs: number | null;
}

/** Major versions of PostgreSQL. */
export const SUPPORTED_POSTGRES = { oldest: 14, newest: 18 } as const;

/** `version`: server_version_num, e.g. 180004. */
export function isSupportedPostgres(version: number): boolean {
  const major = Math.trunc(version / 10_000);
  return major >= SUPPORTED_POSTGRES.oldest && major <= SUPPORTED_POSTGRES.newest;
}

/**
 * The roles first, since the owner of the source must be able to name them in a GRANT; then one transaction: all of it,
 * or nothing. Several at once are safe.
 */
export async function initCell(cell: CellDatabase, options: InitCellOptions): Promise<InitCellReport> {
  const { dataCenter, card } = options;
  await cell.asOwner(async (tx) => {
    await lockSchema(tx);
    const { version, encoding } = await readServerFacts(tx);
    assertVersion(dataCenter.id, version);
    rejectEncoding(dataCenter.id, encoding);
    await rejectOthersSchema(tx, dataCenter.id);
    await assertTimelineReadable(tx);
    await findFittingSource(tx, dataCenter, card);
    await ensureRoles(tx, dataCenter.id);
  });
  try {
    return await makeCell(cell, options);
  } catch (error) {
    throw (await explainViewGrants(cell, error, options.grant)) ?? error;
  }
}

async function makeCell(cell: CellDatabase, options: InitCellOptions): Promise<InitCellReport> {
  const { dataCenter, card } = options;
  const made = await cell.asOwner(async (tx) => {
    await lockSchema(tx);
    await rejectOthersSchema(tx, dataCenter.id);
    await rejectStrongOwners(tx, dataCenter.id);
    const source = await findUsableSource(tx, dataCenter, card);
    // also what an earlier version left to its login
    await giveSchema(tx, dataCenter.id);
    const migrations = await migrateCell(tx, await schemaOptions(tx, dataCenter, source));
    await saveCell(tx, { dataCenter: dataCenter.id, zone: dataCenter.zone, lapseGraceDays: options.lapseGraceDays });
    await insertRateCard(tx, toStoredCard(card));
    await proposeActiveCard(tx, card.hash);
    const attached = await attachSource(tx, toAttached(source), source.signature);
    await giveSchema(tx, dataCenter.id);
    await grantRoles(tx, dataCenter.id);
    await grantUpdates(tx, dataCenter.id);
    if (options.grant !== undefined) await recordProductRole(tx, options.grant);
    await grantProduct(tx);
    await keepDefiners(tx);
    rejectNullIds(await countNullIdsAsOwner(tx), dataCenter);
    return {
      dataCenter: dataCenter.id,
      migrations,
      attached,
      source: source.relation,
      activeCard: (await findCell(tx))?.activeCard ?? '',
    };
  });
  await runStatements(cell);
  const oneOrgMs = await measureAfterInit(cell, measureOneOrg);
  const quick = nameReading({ oneOrgMs, orgListMs: null }) === 'alone';
  const listMs = await measureAfterInit(cell, (tx, limitMs) => measureOrgList(tx, limitMs));
  const orgListMs = quick && !isWholeForMany({ oneOrgMs, orgListMs: listMs }) ? null : listMs;
  const lookMs = await measureAfterInit(cell, measureSearch);
  await cell.asOwner(async (tx) => {
    await saveReadTimes(tx, { oneOrgMs, orgListMs });
    await saveLookMs(tx, lookMs);
  });
  return { ...made, oneOrgMs, lookMs };
}

/** In ms; null: there is nothing to measure. */
export type MeasureSource = (tx: CellTransaction, limitMs: number) => Promise<number | null>;

/**
 * What a sign-up costs on this source decides whether it is written in its own transaction, and what a search costs,
 * how often the feed searches: afterwards, so that a view that takes long undoes nothing.
 */
const measureAfterInit = (cell: CellDatabase, measure: MeasureSource): Promise<number | null> =>
  measureWithin(cell, MEASURE_MS, async (tx, limitMs) => {
    // another init may be granting what it alters
    await lockSchema(tx);
    await keepDefiners(tx);
    return measure(tx, limitMs);
  });

/**
 * At most this long; a source that takes longer counts as if it took just that. Null where its first orgs cannot be
 * read: others say why.
 */
export async function measureWithin(
  cell: CellDatabase,
  limitMs: number,
  measure: MeasureSource,
): Promise<number | null> {
  try {
    return await cell.asOwner((tx) => measure(tx, limitMs));
  } catch (error) {
    const { kind } = classifyFailure(error);
    if (kind === 'too_slow') return limitMs;
    if (isRowFailure(error)) return null;
    throw error;
  }
}

const MEASURE_MS = 10_000;

/** Every other encoding is converted by the server; a text that is no UTF-8 would come back as another one. */
export const isSupportedEncoding = (encoding: string): boolean => encoding !== 'SQL_ASCII';

export function rejectEncoding(dataCenter: string, encoding: string): void {
  if (!isSupportedEncoding(encoding))
    throw new RolloutError('encoding_unsupported', {
      message: `The database of data center "${dataCenter}" has the encoding ${encoding}, which says nothing about its texts.`,
    });
}

/** Throws unsupported_version. */
export function assertVersion(dataCenter: string, version: number): void {
  const { oldest, newest } = SUPPORTED_POSTGRES;
  if (!isSupportedPostgres(version))
    throw new RolloutError('unsupported_version', {
      message:
        `Data center "${dataCenter}" runs PostgreSQL ${Math.trunc(version / 10_000)}; supported are ${oldest} to ` +
        `${newest}.`,
    });
}

/** Finds the source and checks it against the contract; throws with what was found. */
export async function findFittingSource(
  tx: CellTransaction,
  dataCenter: DataCenterConfig,
  card: RateCard,
): Promise<Source> {
  const source = await findSource(tx, dataCenter.source, dataCenter.id);
  const [fault] = checkSourceColumns(source.columns, card.lightAgentsCountAsUsers);
  const where = `The source ${dataCenter.source} of data center "${dataCenter.id}"`;
  if (fault?.kind === 'missing')
    throw new RolloutError('source_column_missing', {
      message:
        `${where} has no column "${fault.column}" (${fault.expected}); it has: ` +
        `${[...source.columns.keys()].join(', ')}.`,
    });
  if (fault)
    throw new RolloutError('source_column_type', {
      message: `${where} has "${fault.column}" as ${fault.found}; it must be ${fault.expected}.`,
    });
  return source;
}

/** Likewise; and the owner of our schema may read it, since the views belong to it. */
async function findUsableSource(tx: CellTransaction, dataCenter: DataCenterConfig, card: RateCard): Promise<Source> {
  const source = await findFittingSource(tx, dataCenter, card);
  if (!source.populated)
    throw new RolloutError('source_not_populated', {
      message: `The source ${dataCenter.source} of data center "${dataCenter.id}" is a materialized view that was never refreshed.`,
      next: `As its owner run: REFRESH MATERIALIZED VIEW ${source.relation}; Then run init again.`,
    });
  if (source.ownerGrant !== null)
    throw new RolloutError('not_permitted', {
      message: `The role that owns our schema in data center "${dataCenter.id}" may not read the source ${dataCenter.source}.`,
      next: `As its owner run: ${source.ownerGrant} Then run init again.`,
    });
  return source;
}

async function schemaOptions(
  tx: CellTransaction,
  dataCenter: DataCenterConfig,
  source: Source,
): Promise<{ orgIdType: string; orgIdCollation: string | null }> {
  const column = source.columns.get('org_id');
  if (column === undefined) throw new Error('checked before');
  const type = orgIdType(column);
  const existing = await findOrgIdType(tx);
  if (existing !== undefined && existing !== type)
    throw new RolloutError('source_changed', {
      message: `The org_id of data center "${dataCenter.id}" is ${type} now, but the cell was created for ${existing}.`,
      next: 'Give the source the type that it had, or start with an empty schema credit_rollout.',
    });
  return { orgIdType: type, orgIdCollation: column.collation };
}

/** What the attached views are created from. */
export const toAttached = (source: Source): Parameters<typeof attachSource>[1] => ({
  relation: source.relation,
  unique: source.unique,
  longIds: canBeLong(source.columns.get('org_id')),
  collatedEditions: (source.columns.get('edition')?.collation ?? null) !== null,
  has: {
    lightAgents: source.columns.has('light_agents'),
    additionalCredits: source.columns.has('additional_credits'),
    legacyLimit: source.columns.has('legacy_limit'),
    updatedAt: source.columns.has('updated_at'),
    peakCredits: source.columns.has('peak_credits'),
  },
});

/** Throws source_null_ids with the count: such rows could be neither decided nor quarantined. */
export function rejectNullIds(nulls: string, dataCenter: DataCenterConfig): void {
  if (nulls !== '0')
    throw new RolloutError('source_null_ids', {
      message: `The source ${dataCenter.source} of data center "${dataCenter.id}" has ${nulls} rows without an org_id.`,
    });
}
