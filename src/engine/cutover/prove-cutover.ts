// Proves a cut-over from recorded decisions: every sign-up at or after the instant is on credits, none flipped, and no org
// is left on the old model but the quarantined, which are listed. Reads only.
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
  /** `ahead`: armed, and its instant has not come; `sweeping`: it has, and the sweep is not over; then it is judged. */
  readonly verdict: 'not_armed' | 'ahead' | 'sweeping' | 'proven' | 'broken';
  readonly effectiveAt: Date | null;
  readonly latchedAt: Date | null;
  readonly sweptAt: Date | null;
  readonly signUps: SignUpCounts;
  /** Orgs without an allotment that were not set aside. */
  readonly onLegacy: number;
  /** Orgs without an allotment that were. */
  readonly quarantinedOrgs: number;
  /** The first 100 of them. */
  readonly quarantined: readonly LeftQuarantined[];
}

const MAX_LISTED = 100;
const STATEMENT_MS = 30_000;

/** `onLegacy`: what the verification of all orgs has counted. */
export function proveCutover(cell: CellDatabase, onLegacy: number): Promise<CutoverProof> {
  return cell.inTransaction(
    'reader',
    async (tx) => {
      const { effectiveAt, latchedAt, sweptAt } = await readGate(tx);
      const over = effectiveAt !== null && (latchedAt !== null || effectiveAt <= (await readCellClock(tx)));
      const signUps = await countSignUps(tx);
      const wrong = signUps.lateLegacy + signUps.flipped;
      const judged = sweptAt === null ? 'sweeping' : onLegacy + wrong > 0 ? 'broken' : 'proven';
      // what was decided under a line that was reversed is judged by it, whatever line is to come
      const waiting = wrong > 0 ? 'broken' : effectiveAt === null ? 'not_armed' : 'ahead';
      const verdict = over ? judged : waiting;
      const facts = { verdict, effectiveAt, latchedAt, sweptAt, signUps, onLegacy } as const;
      if (!over) return { ...facts, quarantinedOrgs: 0, quarantined: [] };
      return {
        ...facts,
        quarantinedOrgs: await countLeftQuarantined(tx),
        quarantined: await listLeftQuarantined(tx, MAX_LISTED),
      };
    },
    { statementMs: STATEMENT_MS },
  );
}
