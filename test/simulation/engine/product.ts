// The product of the simulation: its orgs, their edits and their sign-ups, and the change feed of a cell.
import type { OrgInputs } from '../../../src/domain/source/org-inputs.js';
import { type CellDb, type CellState, type CellTx, decided, writeAllotments } from './cell-state.js';
import type { Process } from './process.js';
import { callStore, noFunction } from './seams.js';

/** Standard, paid, 300 agents: the old model gives more. */
export const makeProductOrg = (fields: Partial<OrgInputs> = {}): OrgInputs => ({
  ...{ edition: 'standard', paid: true, agents: 300n, lightAgents: 0n, additionalCredits: 0n, negotiatedLimit: null },
  ...{ createdAt: new Date('2024-03-01T12:00:00Z'), duplicated: false },
  ...fields,
});

/** One of each kind: legacy wins, credits win, unpaid, negotiated, undecidable. */
export const sampleOrgs = (): CellState['orgs'] =>
  new Map([
    ['a1', makeProductOrg()],
    ['a2', makeProductOrg({ edition: 'enterprise', agents: 25n })],
    ['a3', makeProductOrg({ edition: 'free', paid: false, agents: 5n })],
    ['a4', makeProductOrg({ edition: 'professional', agents: 10n, negotiatedLimit: 500_000n })],
    ['a5', makeProductOrg({ edition: 'retired' })],
  ]);

export const PRODUCT_EDITS: readonly ((org: OrgInputs) => OrgInputs)[] = [
  (org) => ({ ...org, agents: (org.agents ?? 0n) + 100n }),
  (org) => ({ ...org, agents: (org.agents ?? 0n) / 2n }),
  (org) => ({ ...org, paid: !org.paid }),
  (org) => ({ ...org, additionalCredits: (org.additionalCredits ?? 0n) + 5_000n }),
  (org) => ({ ...org, edition: org.edition === 'standard' ? 'professional' : 'standard' }),
  (org) => ({ ...org, negotiatedLimit: org.negotiatedLimit === null ? 300_000n : null }),
];

/** The product changes one of its rows, or deletes it. */
export function editOrg(db: CellDb, process: Process, which: number, how: number): Promise<void> {
  return db.inTransaction(process, 'quick', async (tx) => {
    tx.write((state) => {
      const ids = [...state.orgs.keys()];
      const id = ids[which % Math.max(1, ids.length)] ?? '';
      const org = state.orgs.get(id);
      const edit = PRODUCT_EDITS[how % (PRODUCT_EDITS.length + 1)];
      const orgs = new Map(state.orgs);
      if (org !== undefined && edit !== undefined) orgs.set(id, edit(org));
      if (org !== undefined && edit === undefined) orgs.delete(id);
      state.orgs = orgs;
    });
  });
}

/** A sign-up in the product's own transaction: see `onboard_org` and `ask_gate`. It can be held open for long. */
export function signUp(db: CellDb, process: Process, paid: boolean): Promise<void> {
  return db.inTransaction(process, 'slow', async (given) => {
    const tx = given as CellTx;
    const id = `s${process.name.replace(/\D/gu, '')}`;
    const createdAt = db.now;
    const locked = tx.tryLock('gate', 'shared');
    if (!locked) await process.turn('wait for the gate');
    const answer = callStore('askGate', [tx, locked], noFunction) as {
      readonly over: boolean;
      readonly decidedAt: Date;
    };
    const org = makeProductOrg({ createdAt, paid, edition: paid ? 'standard' : 'free', agents: 20n });
    tx.write((state) => {
      state.orgs = new Map([...state.orgs, [id, org]]);
      const row = {
        orgId: id,
        model: answer.over ? ('credits' as const) : ('legacy' as const),
        decidedAt: answer.decidedAt,
      };
      state.signUps = [...state.signUps, row];
    });
    const granted = answer.over ? decided(tx, id) : undefined;
    if (granted?.kind === 'decided')
      writeAllotments(tx, [{ orgId: id, allotment: granted.allotment }], {
        cause: 'sign-up',
        runId: null,
        over: 'insert',
      });
  });
}

const SURELY_BEFORE_MS = 10_000;

export const productModel = {
  /** By the cell's clock, read after the lock. */
  askGate: (tx: CellTx, locked: boolean) => {
    const { effectiveAt, latchedAt } = tx.now.gate;
    const asked = tx.db.now;
    const over = latchedAt !== null || (effectiveAt !== null && effectiveAt <= asked);
    if (over) return { over, decidedAt: effectiveAt !== null && effectiveAt > asked ? effectiveAt : asked };
    return { over, decidedAt: locked ? asked : new Date(asked.getTime() - SURELY_BEFORE_MS) };
  },
  /** Whether single orgs may be written now; under the shared lock of the fence. */
  mayWriteSingle: (tx: CellTx) => {
    const { fence, freeze } = tx.now;
    return fence.state === 'closed' && fence.singleWrites && freeze === null;
  },
} as const;

/** One look of the change feed: whatever rose is written. */
export function feedOnce(db: CellDb, process: Process): Promise<void> {
  return db.inTransaction(process, 'slow', async (given) => {
    const tx = given as CellTx;
    await callStore('lockFenceShared', [tx], noFunction);
    if (callStore('mayWriteSingle', [tx], noFunction) !== true) return;
    const risen = [...tx.now.orgs.keys()].flatMap((orgId) => {
      const now = decided(tx, orgId);
      return now?.kind === 'decided' && now.movement === 'raise' ? [{ orgId, allotment: now.allotment }] : [];
    });
    writeAllotments(tx, risen, { cause: 'feed', runId: null, over: 'update' });
  });
}
