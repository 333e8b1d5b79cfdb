// `init`: the schemas of the control database and of cells, and the queue. Idempotent.
import type { DataCenterConfig, RolloutConfig } from '../../domain/config/rollout-config.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import type { ErrorCode } from '../../kernel/error-codes.js';
import { isRolloutError, RolloutError } from '../../kernel/rollout-error.js';
import type { EngineContext } from '../context.js';
import { type InitCellReport, initCell } from './init-cell.js';
import { initControl } from './init-control.js';
import { shareSealKey } from './share-seal-key.js';
import { addSignUpTrigger, installChangeFeed } from './triggers.js';

export interface InitOptions {
  readonly config: RolloutConfig;
  readonly card: RateCard;
  /** The cells that are made or upgraded. */
  readonly dataCenters: readonly DataCenterConfig[];
  /** Of these, those that come back when they have left the fleet. */
  readonly comeBack?: readonly string[];
  /** Makes or checks the queue. */
  readonly initQueue: () => Promise<void>;
  /** The product's role that may read and call what is for the product. */
  readonly grant?: string | undefined;
  readonly changeFeed?: 'wanted' | 'as_before';
  readonly signUpTrigger?: 'wanted' | 'as_before';
  /** `new`: the data centers get another key for seals. */
  readonly sealKeys?: 'existing' | 'new';
}

export interface InitReport {
  /** Names of the migrations that ran. */
  readonly controlMigrations: readonly string[];
  /** Data centers of the configuration that have left the fleet: nothing was done there. */
  readonly left: readonly string[];
  readonly cells: readonly (InitCellReport & {
    /** Triggers record edited orgs for the change feed. */
    readonly changeFeed: boolean;
    /** A trigger onboards orgs as they are inserted. */
    readonly signUpTrigger: boolean;
  })[];
}

/** What the owner of a source, or a superuser, has to do first: it is said of every data center at once. */
const ASKED_OF_OTHERS: readonly ErrorCode[] = ['not_permitted', 'roles_missing', 'source_not_populated'];

function rejectLacking(lacking: readonly RolloutError[]): void {
  const [first, ...others] = lacking;
  if (first === undefined) return;
  if (others.length === 0) throw first;
  throw new RolloutError(first.code, {
    message: lacking.map(({ message }) => message).join(' '),
    next: lacking.map(({ next }) => next).join('\n'),
    cause: first,
  });
}

/** Control comes first: a login without a right to it is rejected (not_permitted) before any cell is changed. */
export async function initAll(engine: EngineContext, options: InitOptions): Promise<InitReport> {
  const { card, grant, sealKeys = 'existing' } = options;
  const { changeFeed: feed = 'as_before', signUpTrigger: trigger = 'as_before' } = options;
  const chosen = new Set(options.dataCenters.map(({ id }) => id));
  const { migrations: controlMigrations, config, left } = await initControl(engine, options.config, options.comeBack);
  const { lapseGraceDays } = config.grandfathering;
  const cells: InitReport['cells'][number][] = [];
  const lacking: RolloutError[] = [];
  for (const dataCenter of config.dataCenters.filter(({ id }) => chosen.has(id) && !left.includes(id))) {
    const cell = engine.cells.get(dataCenter.id);
    const report = await initCell(cell, { dataCenter, card, lapseGraceDays, grant }).catch((error: unknown) => {
      if (!isRolloutError(error) || !ASKED_OF_OTHERS.includes(error.code)) throw error;
      lacking.push(error);
    });
    if (report === undefined) continue;
    await shareSealKey(engine, dataCenter.id, sealKeys);
    const changeFeed = await installChangeFeed(cell, { dataCenter, clock: engine.clock, feed });
    const signUpTrigger = await addSignUpTrigger(cell, { dataCenter, clock: engine.clock, trigger });
    cells.push({ ...report, changeFeed, signUpTrigger });
  }
  rejectLacking(lacking);
  await options.initQueue();
  return { controlMigrations, left, cells };
}
