// Why a data center cannot leave the fleet now: what is under way, what waits for a second person, and what of the
// product still uses our schema. Each with what ends it. Reads only.
import { RESTING_STAGES } from '../../domain/rollout/stage.js';
import { type Advice, advise, command } from '../../kernel/advice.js';
import { showProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { readFence } from '../../stores/cell/batch/fence.js';
import { readFreeze } from '../../stores/cell/batch/freezes.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { readGate } from '../../stores/cell/cutover/gate.js';
import { readCellClock } from '../../stores/cell/identity.js';
import { hasOpenRun } from '../../stores/cell/org/overridden-allotment.js';
import { countProposedOverrides } from '../../stores/cell/org/overrides.js';
import {
  countRecentSignUps,
  listDependents,
  listNamingFunctions,
  listProductRoles,
} from '../../stores/cell/setup/dependents.js';
import { listWaitingFalls } from '../../stores/control/accepted-falls.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { findOpenCutoverProposal } from '../../stores/control/cutover-proposals.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import { listMaintenance } from '../../stores/control/maintenance.js';

export interface RemovalRefusal {
  /** A sentence without its full stop. */
  readonly found: string;
  /** What ends it. */
  readonly next: string | Advice;
}

/** Throws removal_refused, with every cause. */
export function rejectRemoval(dataCenter: string, refusals: readonly RemovalRefusal[]): void {
  const [first] = refusals;
  if (first === undefined) return;
  throw new RolloutError('removal_refused', {
    message: `Data center "${dataCenter}" cannot be taken out now: ${refusals.map(({ found }) => found).join('; ')}.`,
    next: first.next,
  });
}

type Resting = Pick<DataCenterRow, 'id' | 'stage' | 'requestedAt'>;

/** What control says; whether the fence is closed is asked of the cell. */
export async function listControlRefusals(tx: ControlTransaction, row: Resting): Promise<readonly RemovalRefusal[]> {
  const { id } = row;
  const maintenance = (await listMaintenance(tx))(id);
  const falls = (await listWaitingFalls(tx)).filter(({ dataCenter }) => dataCenter === id);
  const postponement = await findOpenCutoverProposal(tx, 'postponement', id);
  const reversal = await findOpenCutoverProposal(tx, 'reversal', id);
  const refusals: (RemovalRefusal | undefined)[] = [
    ...listUnderWay(row),
    maintenance.open === null
      ? undefined
      : { found: `its ${maintenance.open.kind} is under way (run ${maintenance.open.runId})`, next: END_OF_RUN },
    maintenance.request === null
      ? undefined
      : { found: `${maintenance.request.requestedBy} has requested a reconciliation`, next: END_OF_RUN },
    ...falls.map(({ proposalId, author }) => ({
      found: `the proposal ${showProposalId({ kind: 'falls', dataCenter: id, proposalId })} of ${author} to accept falls waits`,
      next: advise`Run: ${command`reconcile --dc ${id} --withdraw --reason TEXT`}`,
    })),
    postponement && {
      found: `the proposal ${showProposalId(postponement)} of ${postponement.author} to postpone its cut-over waits`,
      next: advise`Run: ${command`cutover postpone --dc ${id} --withdraw --reason TEXT`}`,
    },
    reversal && {
      found: `the proposal ${showProposalId(reversal)} of ${reversal.author} to reverse its cut-over waits`,
      next: advise`Run: ${command`cutover reverse --dc ${id} --withdraw --reason TEXT`}`,
    },
  ];
  return refusals.filter((refusal) => refusal !== undefined);
}

const END_OF_RUN = 'Wait until it has ended.';

function listUnderWay({ id, stage, requestedAt }: Resting): readonly RemovalRefusal[] {
  if (requestedAt === null && RESTING_STAGES.includes(stage)) return [];
  // nobody aborts an undo
  if (stage === 'undoing') return [{ found: `it is being undone (stage ${stage})`, next: END_OF_RUN }];
  return [
    {
      found: `a rollout of it is under way or requested (stage ${stage})`,
      next: advise`Wait until it is done, or run: ${command`abort --dc ${id} --reason TEXT`}`,
    },
  ];
}

/** What the cell says of its own work. As the owner. */
export async function listCellRefusals(tx: CellTransaction, id: string): Promise<readonly RemovalRefusal[]> {
  const fence = await readFence(tx);
  const freeze = await readFreeze(tx);
  const { effectiveAt, latchedAt } = await readGate(tx);
  const overrides = await countProposedOverrides(tx);
  const begun = latchedAt ?? (effectiveAt !== null && effectiveAt <= (await readCellClock(tx)) ? effectiveAt : null);
  const refusals: (RemovalRefusal | undefined)[] = [
    fence.state === 'closed'
      ? undefined
      : { found: `its fence is open (epoch ${fence.epoch})`, next: 'Let a scheduler close it: it does so by itself.' },
    fence.state === 'closed' && (await hasOpenRun(tx))
      ? { found: 'its cell has a run that has not ended', next: 'Let a scheduler end it: it does so by itself.' }
      : undefined,
    freeze === null
      ? undefined
      : { found: `${freeze.by} has frozen it`, next: advise`Run: ${command`unfreeze --dc ${id}`}` },
    begun === null
      ? undefined
      : {
          found: `its cut-over has happened: sign-ups start on credits since ${begun.toISOString()}`,
          next: advise`Let two people take it back: ${command`cutover reverse --dc ${id} --to WHEN --reason TEXT`}`,
        },
    overrides === 0
      ? undefined
      : {
          found: `${overrides} proposed ${overrides === 1 ? 'override waits' : 'overrides wait'} for a second person`,
          next: advise`Let them be approved, or withdraw each: ${command`override ORG --dc ${id} --withdraw --reason TEXT`}`,
        },
  ];
  return refusals.filter((refusal) => refusal !== undefined);
}

/** Whether the product still calls onboard_org: as its calls of the last day show, or as a person says. */
export type SignUpCalls = 'as seen' | 'stopped';

/** What of the product would fail without our schema. As the owner. */
export async function listProductRefusals(
  tx: CellTransaction,
  id: string,
  calls: SignUpCalls,
): Promise<readonly RemovalRefusal[]> {
  const dependents = await listDependents(tx);
  const functions = await listNamingFunctions(tx);
  const signUps = calls === 'stopped' ? 0 : await countRecentSignUps(tx);
  const seen = (await listProductRoles(tx)).flatMap(({ seen: what }) => what ?? []);
  return [
    ...dependents.map((name) => ({ found: `${name} depends on our schema`, next: 'Change or drop it first.' })),
    ...functions.map((name) => ({
      found: `the text of the function ${name} names our schema`,
      next: 'Change or drop it first.',
    })),
    ...(signUps === 0
      ? []
      : [
          {
            found: `${signUps} ${signUps === 1 ? 'sign-up' : 'sign-ups'} of the last 24 hours called onboard_org`,
            next: advise`Take the calls out of the product. Come back after 24 hours without one, or, if these were the last, run: ${command`uninstall --dc ${id} --sign-ups-stopped`}`,
          },
        ]),
    ...seen.map((found) => ({ found, next: 'Remove from the product what reads our schema, and end that session.' })),
  ];
}
