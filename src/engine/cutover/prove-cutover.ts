// Proves a cut-over from recorded decisions: every sign-up at or after the instant is on credits, none changed its
// model, and only quarantined orgs are left on the old model; they are listed. Reads only.
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import {
  countLeftQuarantined,
  countSignUps,
  type LeftQuarantined,
  listLeftQuarantined,
  type SignUpCounts,
} from '../../stores/cell/cutover/cutover-proof.js';
import { readGate } from '../../stores/cell/cutover/gate.js';
import { readCellClock } from '../../stores/cell/identity.js';

export interface CutoverProof {
  /**
   * `ahead`: armed, and its instant has not come; `sweeping`: it has come, and the sweep has not ended; then the
   * verdict.
   */
  readonly verdict: 'not_armed' | 'ahead' | 'sweeping' | 'proven' | 'broken';
  readonly effectiveAt: Date | null;
  readonly latchedAt: Date | null;
  readonly sweptAt: Date | null;
  readonly signUps: SignUpCounts;
  /** Orgs without an allotment that are not quarantined. */
  readonly onLegacy: number;
  /** Orgs without an allotment that are quarantined. */
  readonly quarantinedOrgs: number;
  /** The first 100 of them. */
  readonly quarantined: readonly LeftQuarantined[];
}

const MAX_LISTED = 100;
const STATEMENT_MS = 30_000;

/** `onLegacy`: as counted by the verification of all orgs. */
export function proveCutover(cell: CellDatabase, onLegacy: number): Promise<CutoverProof> {
  return cell.inTransaction(
    'reader',
    async (tx) => {
      const { effectiveAt, latchedAt, sweptAt } = await readGate(tx);
      const happened = effectiveAt !== null && (latchedAt !== null || effectiveAt <= (await readCellClock(tx)));
      const signUps = await countSignUps(tx);
      const wrong = signUps.lateLegacy + signUps.flipped;
      const judged = sweptAt === null ? 'sweeping' : onLegacy + wrong > 0 ? 'broken' : 'proven';
      // a wrong decision under a cut-over that was reversed counts, whatever cut-over is to come
      const waiting = wrong > 0 ? 'broken' : effectiveAt === null ? 'not_armed' : 'ahead';
      const verdict = happened ? judged : waiting;
      const facts = { verdict, effectiveAt, latchedAt, sweptAt, signUps, onLegacy } as const;
      if (!happened) return { ...facts, quarantinedOrgs: 0, quarantined: [] };
      return {
        ...facts,
        quarantinedOrgs: await countLeftQuarantined(tx),
        quarantined: await listLeftQuarantined(tx, MAX_LISTED),
      };
    },
    { statementMs: STATEMENT_MS },
  );
}
